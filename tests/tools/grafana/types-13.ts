// Grafana 13's own types, under the names that dashboard.ts uses.
import type { Dashboard } from './node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as raw from './node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as bargauge from './node_modules/@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/types.gen';
import type * as heatmap from './node_modules/@grafana/schema/dist/types/raw/composable/heatmap/panelcfg/x/types.gen';
import type * as stat from './node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as table from './node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as timeseries from './node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

export type { Dashboard, raw };
export type BarGaugeOptions = bargauge.Options;
export type HeatmapOptions = heatmap.Options;
export type StatOptions = stat.Options;
export type TableOptions = table.Options;
export type TimeSeriesOptions = timeseries.Options;
export type HeatmapCustom = heatmap.FieldConfig;
export type TableCustom = table.FieldConfig;
export type TimeSeriesCustom = timeseries.FieldConfig;
