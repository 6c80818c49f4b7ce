// Draws each BPMN file with bpmn-js in headless Chromium: one SVG for the overview and one for each collapsed phase.
//   node render.mjs [--to=folder] [file …]
// Every SVG names the SHA-256 of the file that it was made from, so that a test sees when it is out of date.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { chromium } from 'playwright-core';

import { modelFiles, picturesFolder } from './files.mjs';

const require = createRequire(import.meta.url);
const viewer = readFileSync(require.resolve('bpmn-js/dist/bpmn-viewer.production.min.js'), 'utf8');
const overviewNames = { 'video-retrieval': 'process' };

function executable() {
  const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) throw new Error('No Chromium found: "apt-get install chromium", or name one in the variable CHROMIUM.');
  return found;
}

// Runs in the page.
async function draw(xml) {
  const drawing = new window.BpmnJS({ container: '#canvas' });
  await drawing.importXML(xml);
  const canvas = drawing.get('canvas');
  // Hovering over an element shows its documentation.
  drawing.get('elementRegistry').forEach((element, graphics) => {
    const [documentation] = element.businessObject.get('documentation') ?? [];
    const icon = element.businessObject.$attrs['zeebe:modelerTemplateIcon'];
    if (icon) {
      // As Modeler shows it: on what people do.
      const image = document.createElementNS('http://www.w3.org/2000/svg', 'image');
      for (const [name, value] of Object.entries({ x: 6, y: 6, width: 18, height: 18, href: icon })) image.setAttribute(name, value);
      graphics.querySelector('.djs-visual').append(image);
    }
    if (!documentation || canvas.getRootElements().includes(element)) return;
    const title = document.createElementNS('http://www.w3.org/2000/svg', 'title');
    title.textContent = documentation.text;
    graphics.prepend(title);
  });
  const pictures = {};
  for (const plane of canvas.getRootElements()) {
    canvas.setRootElement(plane);
    const { svg } = await drawing.saveSVG();
    pictures[plane.businessObject.id] = svg;
  }
  return pictures;
}

async function pictures(browser, file) {
  const page = await browser.newPage();
  try {
    await page.setContent('<div id="canvas" style="width:2400px;height:1200px"></div>');
    await page.addScriptTag({ content: viewer });
    return await page.evaluate(draw, readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file}: ${error.message.replace(/^page\.evaluate: /, '').split(/\n\s+at /)[0].replace(/\s*\n\s*/g, ', ')}`);
  } finally {
    await page.close();
  }
}

// bpmn-js gives its markers random ids; numbered ones keep a file the same from run to run.
function steadyIds(svg, name) {
  const ids = new Set([...svg.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]));
  return [...ids].reduce((text, id, index) => text.replaceAll(id, `${name}-${index}`), svg);
}

function finish(svg, name, file, hash) {
  const [tag] = svg.match(/<svg [^>]*>/);
  const [x, y, width, height] = tag.match(/viewBox="([^"]+)"/)[1].split(' ');
  const paper = `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="white"/>`;
  const origin = `<!-- made from ${basename(file)} sha256 ${hash} -->\n`;
  return `${steadyIds(svg.replace(tag, `${origin}${tag}${paper}`), name)}\n`;
}

const kebab = (id) => id.replace(/^Phase_/, '').replace(/([a-z])([A-Z])/g, '$1-$2').toLowerCase();

const args = process.argv.slice(2);
const folder = picturesFolder(args);
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: executable(), args: ['--no-sandbox'] });
for (const file of modelFiles(args).filter((name) => name.endsWith('.bpmn'))) {
  const process_ = basename(file, '.bpmn');
  const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
  const overview = overviewNames[process_] ?? process_;
  try {
    for (const [id, svg] of Object.entries(await pictures(browser, file))) {
      const name = id === process_ ? overview : `${overview}-${kebab(id)}`;
      const target = join(folder, `${name}.svg`);
      writeFileSync(target, finish(svg, name, file, hash));
      console.log(target);
    }
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
await browser.close();
