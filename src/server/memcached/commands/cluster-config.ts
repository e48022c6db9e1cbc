/**
 *     config get cluster\r\n      CONFIG cluster 0 <bytes>\r\n<version>\n<host>|<ip>|<port> …\n\r\nEND\r\n
 *
 * Managed services add this to memcached; this server has it when it is given a list of nodes.
 */
import type { ClusterConfig } from './context';
import type { Exchange } from './exchange';

function clusterText({ version, nodes }: ClusterConfig): string {
  return `${version}\n${nodes.map(({ host, ip = '', port }) => `${host}|${ip}|${port}`).join(' ')}\n`;
}

/** `config get cluster`; `ERROR` on a server that is not part of a cluster, as memcached answers. */
export function config(exchange: Exchange): void {
  const { line, context } = exchange;
  if (context.cluster === undefined || line.count !== 3 || !line.is(1, 'get') || !line.is(2, 'cluster')) {
    exchange.reply('ERROR');
    return;
  }
  const text = clusterText(context.cluster);
  exchange.text(`CONFIG cluster 0 ${text.length}\r\n${text}\r\nEND\r\n`);
}
