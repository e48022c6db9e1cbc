/**
 * `node bare.js PORT`: the least that Node can do for a request. A server of `node:net` that takes each packet for one request and
 * answers with bytes as many as the real reply's; it keeps nothing, reads no further than a key, and checks nothing.
 */
const { createServer } = require('node:net');

const G = 'g'.charCodeAt(0);
const VALUE = 'v'.repeat(100);

function answer(packet) {
  if (packet[0] !== G) return 'STORED\r\n';
  const key = packet.toString('latin1', 4, packet.length - 2);
  return `VALUE ${key} 0 ${VALUE.length}\r\n${VALUE}\r\nEND\r\n`;
}

createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('data', (packet) => socket.write(answer(packet), 'latin1'));
  socket.on('error', () => undefined);
}).listen(Number(process.argv[2]), '127.0.0.1');
