/** Runs cases one after the other and prints what came of them as JSON: for tools that have no report of their own. */
const realSetTimeout = setTimeout;

export async function run(groups: Readonly<Record<string, Readonly<Record<string, () => Promise<void>>>>>): Promise<void> {
  const failed: string[] = [];
  let total = 0;
  const note = (error: unknown): void => { failed.push(`uncaught: ${String(error)}`); };
  process.on('uncaughtException', note).on('unhandledRejection', note);
  for (const [group, cases] of Object.entries(groups)) {
    for (const [name, body] of Object.entries(cases)) {
      total++;
      const late = new Promise<never>((_, reject) => { realSetTimeout(() => { reject(new Error('it does not end')); }, 60_000).unref(); });
      await Promise.race([body(), late]).catch((error: unknown) => failed.push(`${group}: ${name}: ${String(error)}`));
    }
  }
  console.log(JSON.stringify({ total, failed }));
}
