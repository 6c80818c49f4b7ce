// Brings the models into the one formatting that Camunda Modeler writes: a round trip through moddle.
//   node format.mjs --check [file …]    exit code 1 where a file differs
//   node format.mjs --write [file …]    rewrites the files
import { writeFileSync } from 'node:fs';

import { modelFiles, readModel } from './files.mjs';

const args = process.argv.slice(2);
const write = args.includes('--write');
if (write === args.includes('--check')) {
  console.error('Say either --check or --write.');
  process.exit(2);
}

for (const file of modelFiles(args)) {
  try {
    const { xml, moddle, rootElement } = await readModel(file);
    const formatted = (await moddle.toXML(rootElement, { format: true })).xml;
    if (formatted === xml) continue;
    if (write) {
      writeFileSync(file, formatted);
      console.log(`${file}: rewritten`);
    } else {
      console.error(`${file}: not in canonical formatting; run "npm run format" in deploy/bpmn.`);
      process.exitCode = 1;
    }
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
