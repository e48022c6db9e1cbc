import { revalidateTag } from 'next/cache';

export const dynamic = 'force-dynamic';

export function GET() {
  revalidateTag('posts', { expire: 0 });
  return Response.json({ done: true });
}
