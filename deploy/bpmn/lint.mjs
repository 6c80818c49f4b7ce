// Lints the models: BPMN with bpmnlint's recommended rules and Camunda's rules for every version that we support,
// DMN with dmnlint's recommended rules. Warnings count as errors.
import { createRequire } from 'node:module';

import { modelFiles, readModel } from './files.mjs';

const require = createRequire(import.meta.url);
const { Linter: BpmnLinter } = require('bpmnlint');
const BpmnResolver = require('bpmnlint/lib/resolver/node-resolver');
const { Linter: DmnLinter } = require('dmnlint');
const DmnResolver = require('dmnlint/lib/resolver/node-resolver');

const versions = ['8-6', '8-7', '8-8', '8-9', '8-10'];

const bpmnProfiles = [
  { name: 'bpmnlint', config: { extends: ['bpmnlint:recommended'] } },
  ...versions.map((version) => ({
    name: `Camunda ${version.replace('-', '.')}`,
    config: { extends: [`plugin:camunda-compat/camunda-cloud-${version}`] },
  })),
];
const dmnProfiles = [{ name: 'dmnlint', config: { extends: ['dmnlint:recommended'] } }];

function profilesFor(file) {
  if (file.endsWith('.dmn')) {
    const linter = new DmnLinter({ resolver: new DmnResolver() });
    return dmnProfiles.map((profile) => ({ ...profile, linter }));
  }
  const linter = new BpmnLinter({ resolver: new BpmnResolver({ require }) });
  return bpmnProfiles.map((profile) => ({ ...profile, linter }));
}

let found = 0;
for (const file of modelFiles(process.argv.slice(2))) {
  let model;
  try {
    model = await readModel(file);
  } catch (error) {
    console.error(error.message);
    found += 1;
    continue;
  }
  for (const { name, config, linter } of profilesFor(file)) {
    const results = await linter.lint(model.rootElement, config);
    for (const [rule, reports] of Object.entries(results)) {
      for (const report of reports) {
        console.error(`${file} (${name}) ${rule}: ${report.id}: ${report.message}`);
        found += 1;
      }
    }
  }
}
console.log(found ? `${found} finding(s).` : 'Clean on every profile.');
process.exitCode = found ? 1 : 0;
