// Validates element templates against Camunda's schema, and applies them to an empty diagram.
//   node templates.mjs [folder]                  exit code 1 where a template is wrong
//   node templates.mjs --json [folder]           one JSON list of what is wrong, and exit code 0
//   node templates.mjs --apply=folder [folder]   also writes one diagram for each template: start, the task, end
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import validator from '@bpmn-io/element-templates-validator';
import { applyTemplate } from 'element-templates-cli';

const args = process.argv.slice(2);
const target = args.find((arg) => arg.startsWith('--apply='))?.slice('--apply='.length);
const beside = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'bpmn', '.camunda', 'element-templates');
const folder = args.find((arg) => !arg.startsWith('--')) ?? beside;

const namespaces = {
  bpmn: 'http://www.omg.org/spec/BPMN/20100524/MODEL',
  bpmndi: 'http://www.omg.org/spec/BPMN/20100524/DI',
  dc: 'http://www.omg.org/spec/DD/20100524/DC',
  di: 'http://www.omg.org/spec/DD/20100524/DI',
  zeebe: 'http://camunda.org/schema/zeebe/1.0',
  modeler: 'http://camunda.org/schema/modeler/1.0',
};

const shape = (id, x, y, width, height) =>
  `<bpmndi:BPMNShape id="${id}_di" bpmnElement="${id}"><dc:Bounds x="${x}" y="${y}" width="${width}" height="${height}" /></bpmndi:BPMNShape>`;
const edge = (id, from, to) =>
  `<bpmndi:BPMNEdge id="${id}_di" bpmnElement="${id}"><di:waypoint x="${from}" y="100" /><di:waypoint x="${to}" y="100" /></bpmndi:BPMNEdge>`;

const empty = (name) => `<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions ${Object.entries(namespaces).map(([prefix, uri]) => `xmlns:${prefix}="${uri}"`).join(' ')} id="Definitions_Try" targetNamespace="http://footage-desk.example/bpmn" modeler:executionPlatform="Camunda Cloud" modeler:executionPlatformVersion="8.6.0">
<bpmn:process id="try-${name}" isExecutable="true">
<bpmn:startEvent id="Event_Start"><bpmn:outgoing>Flow_In</bpmn:outgoing></bpmn:startEvent>
<bpmn:task id="Task_Tried"><bpmn:incoming>Flow_In</bpmn:incoming><bpmn:outgoing>Flow_Out</bpmn:outgoing></bpmn:task>
<bpmn:endEvent id="Event_End"><bpmn:incoming>Flow_Out</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="Flow_In" sourceRef="Event_Start" targetRef="Task_Tried" />
<bpmn:sequenceFlow id="Flow_Out" sourceRef="Task_Tried" targetRef="Event_End" />
</bpmn:process>
<bpmndi:BPMNDiagram id="Diagram_Try"><bpmndi:BPMNPlane id="Plane_Try" bpmnElement="try-${name}">
${shape('Event_Start', 100, 82, 36, 36)}${shape('Task_Tried', 200, 60, 100, 80)}${shape('Event_End', 364, 82, 36, 36)}
${edge('Flow_In', 136, 200)}${edge('Flow_Out', 300, 364)}
</bpmndi:BPMNPlane></bpmndi:BPMNDiagram></bpmn:definitions>`;

// The tool's bundle misses a browser, which it does not need, and says so each time.
const silently = async (work) => {
  const { error, warn } = console;
  console.error = console.warn = () => {};
  try {
    return await work();
  } finally {
    Object.assign(console, { error, warn });
  }
};

const found = [];
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json')).sort()) {
  const path = join(folder, file);
  const text = readFileSync(path, 'utf8');
  try {
    const { valid, errors } = validator.validateZeebe(JSON.parse(text));
    if (!valid) throw new Error(errors.map((error) => error.message).join('; '));
    if (target) {
      mkdirSync(target, { recursive: true });
      const name = file.slice(0, -'.json'.length);
      writeFileSync(join(target, `${name}.bpmn`), await silently(() => applyTemplate(empty(name), text, 'Task_Tried')));
    }
  } catch (error) {
    found.push({ file: path, message: error.message });
  }
}
if (args.includes('--json')) {
  console.log(JSON.stringify(found));
} else {
  for (const { file, message } of found) console.error(`${file}: ${message}`);
  console.log(found.length ? `${found.length} template(s) to correct.` : 'Every element template is valid.');
  process.exitCode = found.length ? 1 : 0;
}
