// Makes JSON Schemas for each version of Grafana out of its TypeScript types: node schemas.mjs
//
// schema-10.json and schema-13.json are one schema for a dashboard and one for each kind of panel.
import { writeFileSync } from 'node:fs';
import { createGenerator } from 'ts-json-schema-generator';

for (const version of ['10', '13']) {
  const generator = createGenerator({
    path: 'dashboard.ts',
    tsconfig: `tsconfig-${version}.json`,
    type: 'Shapes',
    // Types of different kinds of panels have the same name: each is put where it is used.
    expose: 'none',
    topRef: false,
    additionalProperties: false,
  });
  const shapes = generator.createSchema('Shapes');
  writeFileSync(`schema-${version}.json`, JSON.stringify(shapes));
}
