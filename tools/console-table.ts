import Table from 'cli-table3';

/** A table for the terminal: like that of a page, its first column begins at the left, and the others end at the right. */
export function consoleTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const table = new Table({ head: [...head], style: { head: [], border: [] }, colAligns: ['left', ...head.slice(1).map(() => 'right' as const)] });
  table.push(...lines.map((cells) => [...cells]));
  return table.toString();
}
