// Finds the models and reads them with the vocabularies of Camunda 8.
import { createRequire } from 'node:module';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { BpmnModdle } from 'bpmn-moddle';
import { DmnModdle } from 'dmn-moddle';

const require = createRequire(import.meta.url);
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Where pictures go: the folder named with --to=, or docs/. */
export const picturesFolder = (args) =>
  args.find((arg) => arg.startsWith('--to='))?.slice('--to='.length) ?? join(root, 'docs');

/** The models to work on: the arguments that are no options, or everything in bpmn/. */
export function modelFiles(args) {
  const named = args.filter((arg) => !arg.startsWith('--'));
  if (named.length) return named;
  const folder = join(root, 'bpmn');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.bpmn') || name.endsWith('.dmn'))
    .sort()
    .map((name) => join(folder, name));
}

export const bpmnModdle = () =>
  new BpmnModdle({
    zeebe: require('zeebe-bpmn-moddle/resources/zeebe.json'),
    modeler: require('modeler-moddle/resources/modeler.json'),
  });

export const dmnModdle = () => new DmnModdle({ modeler: require('modeler-moddle/resources/dmn-modeler.json') });

/** Reads one model; throws with one sentence for each thing that the round trip would lose. */
export async function readModel(file) {
  const xml = readFileSync(file, 'utf8');
  const moddle = file.endsWith('.dmn') ? dmnModdle() : bpmnModdle();
  const { rootElement, warnings, references, elementsById } = await moddle.fromXML(xml).catch((error) => {
    throw new Error(`${file}: ${error.message.replace(/\s*\n\s*/g, ', ')}`);
  });
  if (warnings.length) {
    throw new Error(warnings.map((warning) => `${file}: ${warning.message}`).join('\n'));
  }
  return { xml, moddle, rootElement, references, elementsById };
}
