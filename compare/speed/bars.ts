import type { TopLevelSpec } from 'vega-lite';

/** One bar, and the rounds that it is the median of. */
export interface Bar {
  /** Which of the small charts it is in. */
  readonly chart: string;
  readonly name: string;
  readonly role: string;
  readonly median: number | undefined;
  readonly rounds: readonly number[];
}

interface Look {
  readonly title: string;
  readonly columns: number;
  readonly width: number;
  readonly step: number;
  /** What each role is painted in. */
  readonly colors: Readonly<Record<string, string>>;
}

/** A small bar chart for each chart named, with the rounds as dots. The background is white, on a dark page too. */
export function barCharts(bars: readonly Bar[], { title, columns, width, step, colors }: Look): TopLevelSpec {
  // The median stands beside the first round, so that there is one bar.
  const values = bars.flatMap(({ chart, name, role, median, rounds }, order) =>
    (rounds.length === 0 ? [null] : rounds).map((round, i) => ({ chart, name, role, order, median: i === 0 ? (median ?? null) : null, round })),
  );
  const charts = [...new Set(bars.map(({ chart }) => chart))];
  return {
    data: { values },
    facet: { field: 'chart', type: 'nominal', sort: charts, title },
    columns,
    spec: {
      width,
      height: { step },
      encoding: {
        y: { field: 'name', type: 'nominal', sort: { field: 'order', op: 'min' }, title: null },
      },
      layer: [
        {
          mark: 'bar',
          encoding: {
            x: { field: 'median', type: 'quantitative', title: null, stack: null },
            color: { field: 'role', type: 'nominal', legend: null, scale: { domain: Object.keys(colors), range: Object.values(colors) } },
          },
        },
        {
          // Dark with a light rim: seen on a bar of any colour and beside it.
          mark: { type: 'circle', size: 14, opacity: 1, color: '#1a202c', stroke: 'white', strokeWidth: 0.8 },
          encoding: { x: { field: 'round', type: 'quantitative', title: null } },
        },
      ],
    },
    resolve: { scale: { x: 'independent', y: 'independent' } },
    config: { background: 'white' },
  };
}
