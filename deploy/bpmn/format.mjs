// Brings the models into the one formatting that Camunda Modeler writes: a round trip through moddle.
//   node format.mjs [file …]            rewrites the files
//   node format.mjs --check [file …]    exit code 1 where a file differs
import { writeFileSync } from 'node:fs';

import { modelFiles, readModel } from './files.mjs';

const args = process.argv.slice(2);
const check = args.includes('--check');

for (const file of modelFiles(args)) {
  try {
    const { xml, moddle, rootElement } = await readModel(file);
    const formatted = (await moddle.toXML(rootElement, { format: true })).xml;
    if (formatted === xml) continue;
    if (check) {
      console.error(`${file}: not as Camunda Modeler would save it: run "footage-desk bpmn format".`);
      process.exitCode = 1;
    } else {
      writeFileSync(file, formatted);
      console.log(`${file}: rewritten`);
    }
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
