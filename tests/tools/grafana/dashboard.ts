// A dashboard as Kept makes it, put together from Grafana's own types: what these leave open (the
// options of a panel's kind, its queries) is filled in with the types of that kind, and what a panel
// of ours must have is required. `types` is that of one version of Grafana.
import type {
  BarGaugeOptions,
  Dashboard as Whole,
  HeatmapCustom,
  HeatmapOptions,
  StatOptions,
  TableCustom,
  TableOptions,
  TimeSeriesCustom,
  TimeSeriesOptions,
  raw,
} from 'types';
import type { PrometheusDataQuery } from './node_modules/grafana-schema-10/dist/esm/raw/composable/prometheus/dataquery/x/PrometheusDataQuery_types.gen';

type DataSource = { type: 'prometheus'; uid: '${datasource}' };

interface Query extends Omit<PrometheusDataQuery, 'datasource'> {
  datasource: DataSource;
}

interface Values<Custom> {
  defaults: Omit<raw.FieldConfig, 'custom'> & { unit: string; custom?: Custom };
  overrides: raw.FieldConfigSource['overrides'];
}

type Left = 'type' | 'options' | 'fieldConfig' | 'targets' | 'datasource' | 'title' | 'description' | 'id' | 'gridPos';

interface Kind<Name extends string, Options, Custom> extends Omit<raw.Panel, Left> {
  type: Name;
  id: number;
  title: string;
  description: string;
  gridPos: raw.GridPos;
  datasource: DataSource;
  options: Options;
  fieldConfig: Values<Custom>;
  targets: Query[];
}

type None = { [key: string]: never };

// The Prometheus data source keeps more in an annotation than Grafana's types name.
interface Annotation extends Omit<raw.AnnotationQuery, 'target'> {
  target: { expr: string; interval: string; refId: string };
  expr: string;
  step: string;
  tagKeys: string;
  textFormat: string;
  titleFormat: string;
  useValueForTime: boolean;
}

// Each is checked on its own, so that a problem names the key that is wrong rather than every kind of
// panel that it is not.
export interface Shapes {
  dashboard: Omit<Whole, 'panels' | 'annotations'> & {
    uid: string;
    title: string;
    description: string;
    editable: false;
    panels: unknown[];
    annotations: { list: Annotation[] };
  };
  row: Omit<raw.RowPanel, 'panels'> & { gridPos: raw.GridPos; title: string; panels: unknown[] };
  bargauge: Kind<'bargauge', BarGaugeOptions, None>;
  heatmap: Kind<'heatmap', HeatmapOptions, HeatmapCustom>;
  stat: Kind<'stat', StatOptions, None>;
  table: Kind<'table', TableOptions, TableCustom>;
  timeseries: Kind<'timeseries', TimeSeriesOptions, TimeSeriesCustom>;
}
