// What a dashboard of ours may hold: Grafana's own types, narrowed to the kinds of
// panel, variable and query that we use, so that a misspelt key is an error too.
import type { AnnotationQuery, Dashboard, DashboardLink, FieldConfig, Panel, VariableModel } from '@grafana/schema';
import type * as Stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as Table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as Timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON holds the values of string enums, which TypeScript takes for plain strings.
type JSON<T> = unknown extends T
  ? T
  : T extends string
    ? string extends T
      ? T
      : `${T}`
    : T extends (infer U)[]
      ? JSON<U>[]
      : T extends object
        ? { [K in keyof T]: JSON<T[K]> }
        : T;

type Source = { type: 'prometheus'; uid: '${datasource}' };

// @grafana/schema has no type for the queries of Prometheus.
type Target = {
  refId: string;
  datasource: Source;
  expr: string;
  legendFormat: string;
  range: boolean;
  instant: boolean;
  editorMode: 'code';
  format?: 'table';
};

type Link = { title: string; url: string; targetBlank: boolean };

type Transformation =
  | { id: 'merge'; options: Record<string, never> }
  | { id: 'organize'; options: { excludeByName: Record<string, boolean>; indexByName: Record<string, number>; renameByName: Record<string, string> } }
  | { id: 'sortBy'; options: { fields: Record<string, never>; sort: { field: string; desc: boolean }[] } }
  | { id: 'configFromData'; options: { configRefId: string; mappings: { fieldName: string; handlerKey: string }[] } };

type Defaults<Custom> = Omit<JSON<FieldConfig>, 'custom' | 'links' | 'actions'> & { custom?: Partial<JSON<Custom>>; links?: Link[] };

// An override sets one property of the field configuration of its panel.
type Property<Custom> =
  | { [K in keyof Custom & string]-?: { id: `custom.${K}`; value: JSON<Exclude<Custom[K], undefined>> } }[keyof Custom & string]
  | { [K in 'unit' | 'decimals' | 'color' | 'thresholds' | 'mappings']-?: { id: K; value: JSON<Exclude<FieldConfig[K], undefined>> } }['unit' | 'decimals' | 'color' | 'thresholds' | 'mappings']
  | { id: 'links'; value: Link[] };

type Of<Kind extends string, Options, Custom> = Omit<JSON<Panel>, 'type' | 'datasource' | 'options' | 'fieldConfig' | 'targets' | 'transformations' | 'links'> & {
  type: Kind;
  id: number;
  title: string;
  description: string;
  datasource: Source;
  options: JSON<Options>;
  fieldConfig: { defaults: Defaults<Custom>; overrides: { matcher: { id: 'byName'; options: string }; properties: Property<Custom>[] }[] };
  targets: Target[];
  transformations?: Transformation[];
};

type Row = { type: 'row'; id: number; title: string; collapsed: false; panels: never[]; gridPos: Panel['gridPos'] };

type AnyPanel = Of<'stat', Stat.Options, Record<never, never>> | Of<'table', Table.Options, Table.FieldConfig> | Of<'timeseries', Timeseries.Options, Timeseries.FieldConfig> | Row;

type Variable = Omit<JSON<VariableModel>, 'datasource' | 'type'> & { label: string; description: string } & ({ type: 'query'; datasource: Source; query: string } | { type: 'datasource'; query: 'prometheus' } | { type: 'custom'; query: string });

// The annotations of Prometheus have more than the schema types.
type Annotation = Omit<JSON<AnnotationQuery>, 'datasource' | 'target'> & {
  datasource: Source;
  target: { refId: string; expr: string };
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
  useValueForTime: boolean;
};

export type UpidDashboard = Omit<JSON<Dashboard>, 'panels' | 'templating' | 'annotations' | 'links'> & {
  uid: string;
  title: string;
  description: string;
  links: JSON<DashboardLink>[];
  panels: AnyPanel[];
  templating: { list: Variable[] };
  annotations: { list: Annotation[] };
};
