// Grafana 10's own types, under the names that dashboard.ts uses. What later versions have added and
// need, this one ignores: each such key is named here.
import type { Dashboard } from './node_modules/grafana-schema-10/dist/esm/raw/dashboard/x/dashboard_types.gen';
import type * as raw from './node_modules/grafana-schema-10/dist/esm/raw/dashboard/x/dashboard_types.gen';
import type * as bargauge from './node_modules/grafana-schema-10/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as heatmap from './node_modules/grafana-schema-10/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat from './node_modules/grafana-schema-10/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as table from './node_modules/grafana-schema-10/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeseries from './node_modules/grafana-schema-10/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

export type { Dashboard, raw };
export type BarGaugeOptions = bargauge.Options & { legend: unknown };
export type HeatmapOptions = heatmap.Options;
export type StatOptions = stat.Options & { percentChangeColorMode: unknown };
export type TableOptions = table.Options;
export type TimeSeriesOptions = timeseries.Options;
export type HeatmapCustom = heatmap.FieldConfig;
export type TableCustom = table.FieldConfig;
export type TimeSeriesCustom = timeseries.FieldConfig;
