// A page that is made once and kept as a whole.
export const revalidate = 3600;

export default async function Page() {
  const response = await fetch(process.env.DATA, { next: { tags: ['posts'], revalidate: 3600 } });
  return <p>static {await response.text()}</p>;
}
