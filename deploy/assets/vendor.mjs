// Copies the browser's libraries from node_modules to services/web/static/vendor and services/verifier/page/vendor, and
// the documents' font to services/rendering/fonts, with their licences and hashes. age-encryption has modules alone, so it is bundled.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildSync } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, 'node_modules');
const services = join(here, '..', '..', 'services');

// folder -> package -> file in the package -> name in the folder
const WANTED = {
  [join(services, 'web', 'static', 'vendor')]: {
    'htmx.org': { 'dist/htmx.min.js': 'htmx.min.js' },
    'hls.js': { 'dist/hls.light.min.js': 'hls.light.min.js' },
    'bpmn-js': {
      'dist/bpmn-navigated-viewer.production.min.js': 'bpmn-navigated-viewer.min.js',
      'dist/assets/diagram-js.css': 'diagram-js.css',
      'dist/assets/bpmn-js.css': 'bpmn-js.css',
    },
    'age-encryption': {},
  },
  // as modules: the page of the verifier is built of them and its own, each in full for whoever reads it
  [join(services, 'verifier', 'page', 'vendor')]: {
    '@noble/ed25519': { 'index.js': 'ed25519.js' },
    '@noble/hashes': { 'sha2.js': 'sha2.js', '_md.js': '_md.js', '_u64.js': '_u64.js', 'utils.js': 'utils.js' },
  },
  [join(services, 'rendering', 'fonts')]: {
    '@expo-google-fonts/noto-serif-sc': { '400Regular/NotoSerifSC_400Regular.ttf': 'NotoSerifSC-Regular.ttf' },
  },
};
// package -> name in the folder, what of it is wanted, and the global that has it
const BUNDLED = { 'age-encryption': { to: 'age-decrypter.min.js', wanted: 'Decrypter', globalName: 'age' } };
const LICENCES = {
  'htmx.org': '0BSD',
  'hls.js': 'Apache-2.0',
  'bpmn-js': 'bpmn.io',
  'age-encryption': 'BSD-3-Clause AND MIT',
  '@noble/ed25519': 'MIT',
  '@noble/hashes': 'MIT',
  '@expo-google-fonts/noto-serif-sc': 'OFL-1.1',
};

const told = (name) => JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The package and everything that its file has bundled, by the packages' own word. */
function family(name, seen = new Set()) {
  seen.add(name);
  for (const other of Object.keys(told(name).dependencies ?? {})) {
    if (!seen.has(other)) family(other, seen);
  }
  return [...seen].sort((one, other) => (other === name) - (one === name) || one.localeCompare(other));
}

function licence(name) {
  const folder = join(modules, name);
  // a package of fonts has its own licence and, apart from it, the fonts'
  const files = readdirSync(folder).filter((found) => /^licen[cs]e(_font)?(\.|$)/i.test(found));
  const { license, author } = told(name);
  const by = typeof author === 'string' ? author : (author?.name ?? name);
  return files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n') || `${license}, ${by}`;
}

/** One script of a package and all that it imports, and the folders below node_modules whose code is in it. */
function bundle(name) {
  const { to, wanted, globalName } = BUNDLED[name];
  const { outputFiles, metafile } = buildSync({
    stdin: { contents: `export { ${wanted} } from '${name}';`, resolveDir: here },
    absWorkingDir: here,
    bundle: true,
    minify: true,
    charset: 'ascii',
    format: 'iife',
    globalName,
    target: ['chrome86', 'firefox115', 'safari15'],
    legalComments: 'none',
    metafile: true,
    write: false,
  });
  const folders = Object.keys(metafile.inputs).map((file) => /^node_modules\/(.*node_modules\/)?(@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  const packages = [...new Set(folders.filter(Boolean))].map((folder) => folder.slice('node_modules/'.length));
  return { files: { [to]: Buffer.from(outputFiles[0].contents) }, packages: packages.sort() };
}

/** What a font says of its own rights in its name table, in English: copyright, trademark, licence. */
function notice(font, name) {
  const table = Array.from({ length: font.readUInt16BE(4) }, (_, at) => 12 + 16 * at).find(
    (at) => font.toString('latin1', at, at + 4) === 'name',
  );
  const start = font.readUInt32BE(table + 8);
  const texts = start + font.readUInt16BE(start + 4);
  const rows = Array.from({ length: font.readUInt16BE(start + 2) }, (_, at) =>
    Array.from({ length: 6 }, (__, field) => font.readUInt16BE(start + 6 + 12 * at + 2 * field)),
  );
  const said = [0, 7, 13].flatMap((wanted) =>
    rows
      .filter(([platform, , language, id]) => platform === 3 && language === 0x409 && id === wanted)
      .map(([, , , , length, offset]) => Buffer.from(font.subarray(texts + offset, texts + offset + length)).swap16()),
  );
  return `${name} says of itself:\n\n${said.map((one) => one.toString('utf16le')).join('\n')}\n`;
}

// no source map comes along, so no browser need look for one
const stripped = (bytes, name) =>
  name.endsWith('.ttf') ? bytes : Buffer.from(bytes.toString('utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'));

for (const [target, packages] of Object.entries(WANTED)) {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const manifest = Object.entries(packages).map(([name, files]) => {
    const bundled = BUNDLED[name] ? bundle(name) : { files: {}, packages: family(name) };
    const texts = bundled.packages.map((one) => `${told(one).name} ${told(one).version}\n\n${licence(one)}\n`);
    for (const [from, to] of Object.entries(files).filter(([, one]) => one.endsWith('.ttf'))) {
      // the package's text of the licence is not the font's own
      texts.unshift(notice(readFileSync(join(modules, name, from)), to));
    }
    const rule = `\n${'-'.repeat(80)}\n\n`;
    const all = { [`${name.split('/').pop()}.licence.txt`]: Buffer.from(texts.join(rule)) };
    for (const [from, to] of Object.entries(files)) all[to] = stripped(readFileSync(join(modules, name, from)), to);
    Object.assign(all, bundled.files);
    for (const [to, bytes] of Object.entries(all)) writeFileSync(join(target, to), bytes);
    const hashes = Object.fromEntries(Object.entries(all).map(([to, bytes]) => [to, sha256(bytes)]));
    return { name, version: told(name).version, licence: LICENCES[name], sha256: hashes };
  });
  writeFileSync(join(target, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}
