// Checks dashboards against Grafana's own types: node check.mjs FILE...
//
// Prints every problem, by file, version of Grafana and place; ends with 1 if there is any. Unknown
// keys are problems wherever Grafana's types say which ones there are.
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';

let problems = 0;
const report = (file, version, place, text) => {
  problems += 1;
  console.log(`${file}: Grafana ${version}: ${place}: ${text}`);
};

// One function for a dashboard and for each kind of panel.
const shapes = (version) => {
  const schema = JSON.parse(readFileSync(new URL(`schema-${version}.json`, import.meta.url)));
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
  ajv.addSchema({ ...schema, $id: 'shapes' });
  const shape = (name) => [name, ajv.getSchema(`shapes#/properties/${name}`)];
  return Object.fromEntries(Object.keys(schema.properties).map(shape));
};

const check = (file, version, validate, place, value) => {
  if (validate(value)) return;
  for (const error of validate.errors) {
    const more = JSON.stringify(error.params);
    report(file, version, `${place}${error.instancePath}`, `${error.message} ${more}`);
  }
};

const checkPanels = (file, version, kinds, place, panels) => {
  panels.forEach((panel, at) => {
    const here = `${place}/panels/${at}`;
    const kind = panel.type === 'dashboard' ? undefined : kinds[panel.type];
    if (!kind) {
      report(file, version, here, `"${panel.type}" is not a kind of panel that is checked`);
      return;
    }
    check(file, version, kind, here, panel);
    if (panel.type === 'row') checkPanels(file, version, kinds, here, panel.panels ?? []);
  });
};

const files = process.argv.slice(2);
for (const version of ['10', '13']) {
  const kinds = shapes(version);
  for (const file of files) {
    const dashboard = JSON.parse(readFileSync(file));
    check(file, version, kinds.dashboard, '', dashboard);
    checkPanels(file, version, kinds, '', dashboard.panels ?? []);
  }
}
if (files.length === 0) console.log('no file is given');
process.exitCode = problems > 0 || files.length === 0 ? 1 : 0;
