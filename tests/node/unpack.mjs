// Unpacks the Chromium of @sparticuz/chromium, with the shared libraries that a bare machine lacks, to node_modules/.chromium.
// The package's own way unpacks to /tmp, and the libraries on Amazon's machines only.
import { chmodSync, createReadStream, createWriteStream, mkdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const chromium = join(import.meta.dirname, "node_modules", "@sparticuz", "chromium");
// tar-fs is a dependency of the package, which unpacks with it too.
const { extract } = createRequire(join(chromium, "package.json"))("tar-fs");
const target = join(import.meta.dirname, "node_modules", ".chromium");
const partial = `${target}.partial`;

if (process.arch !== "x64") {
  console.error(`@sparticuz/chromium has no Chromium for ${process.arch}: the pages are tested in the system's.`);
  process.exit(0);
}
const unpack = (name, into) => pipeline(createReadStream(join(chromium, "bin", `${name}.br`)), createBrotliDecompress(), into);
rmSync(partial, { recursive: true, force: true });
mkdirSync(partial, { recursive: true });
await unpack("chromium", createWriteStream(join(partial, "chromium")));
await unpack("al2023.tar", extract(partial));
await unpack("fonts.tar", extract(partial));
await unpack("swiftshader.tar", extract(partial));
chmodSync(join(partial, "chromium"), 0o755);
rmSync(target, { recursive: true, force: true });
renameSync(partial, target);
