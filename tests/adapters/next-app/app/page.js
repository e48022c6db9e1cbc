export const dynamic = 'force-dynamic';

// A page that is made anew each time, out of a fetch that is cached.
export default async function Page() {
  const response = await fetch(process.env.DATA, { cache: 'force-cache', next: { tags: ['posts'] } });
  return <p>fetched {await response.text()}</p>;
}
