// Lints the models: BPMN with bpmnlint's recommended rules and Camunda's rules for every version that we support,
// DMN with dmnlint's recommended rules.
//   node lint.mjs [file …]           one line for each finding; exit code 1 where there is any
//   node lint.mjs --json [file …]    one JSON list instead, and always 0: "footage-desk bpmn lint" weighs them
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

const args = process.argv.slice(2);
const found = [];
for (const file of modelFiles(args)) {
  let model;
  try {
    model = await readModel(file);
  } catch (error) {
    for (const message of error.message.split('\n')) {
      found.push({ file, profile: 'reading', rule: 'reading', category: 'error', id: null, message });
    }
  }
  if (model === undefined) continue;
  for (const { name, config, linter } of profilesFor(file)) {
    const results = await linter.lint(model.rootElement, config);
    for (const [rule, reports] of Object.entries(results)) {
      for (const { category, id, message } of reports) {
        found.push({ file, profile: name, rule, category, id: id ?? null, message });
      }
    }
  }
}

if (args.includes('--json')) {
  console.log(JSON.stringify(found));
} else {
  for (const { file, profile, rule, id, message } of found) {
    console.error(profile === 'reading' ? message : `${file} (${profile}) ${rule}: ${id}: ${message}`);
  }
  console.log(found.length ? `${found.length} finding(s).` : 'Clean on every profile.');
  process.exitCode = found.length ? 1 : 0;
}
