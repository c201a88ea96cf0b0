/** A cluster worth looking at: some folders, names of all sorts, tags of every kind, six nodes. */

import type { StorageNode } from '../api/types';
import { die } from './messages.ts';
import { emptyMock, type Mock, makeFolder, putFile } from './state.ts';
import { guessTags, mediaTypeOf, tag } from './tagger.ts';

const HOUR_MS = 3_600_000;
/** Long enough to see the cluster whole. */
const DEATH_AFTER_MS = 20_000;

export function seededMock(): Mock {
  const mock = emptyMock();
  makeFolder(mock, '/');
  for (let index = 1; index <= 6; index += 1) addNode(mock, index);
  addFiles(mock);
  makeFolder(mock, '/empty');
  for (let index = 1; index <= 450; index += 1) addSample(mock, index);
  mock.transitions = [
    change(3, 'n4', 'asleep', 'online', 'woken over SSH', 'admin', 2),
    change(2, 'n4', 'online', 'asleep', 'stop: 64 groups counted, worst margin 1', 'admin', 9),
    change(1, 'n2', 'suspect', 'online', 'heartbeat is back', 'monitor', 30),
  ];
  setTimeout(() => die(mock, 'n5'), DEATH_AFTER_MS).unref();
  return mock;
}

function change(
  seq: number,
  subject: string,
  from: string,
  to: string,
  cause: string,
  actor: string,
  hours: number,
) {
  const time = new Date(Date.now() - hours * HOUR_MS).toISOString();
  return { seq, time, kind: 'node', subject, from, to, cause, actor };
}

function addNode(mock: Mock, index: number) {
  const capacity = 480e9;
  const used = capacity * (0.28 + 0.05 * index);
  const node: StorageNode = {
    name: `n${index}`,
    id: `0193a5c2-7b1e-7000-8000-00000000000${index}`,
    state: 'online',
    address: `127.0.0.1:${8499 + index}`,
    metrics_address: `127.0.0.1:${9499 + index}`,
    pid: 41_000 + index,
    zone: `z${((index - 1) % 3) + 1}`,
    capacity_bytes: capacity,
    used_bytes: used,
    free_bytes: capacity - used,
    shards: 18_200 + index * 37,
    load1: 0.2 + index / 20,
    cores: 4,
    memory_total_bytes: 8e9,
    memory_available_bytes: 6e9,
    resident_bytes: 60e6 + index * 2e6,
    heartbeat_age_seconds: 0.4,
    uptime_seconds: 86_400 * index + 4_000,
    weight: 1,
  };
  mock.nodes.set(node.name, node);
}

/** More than two pages of a listing. */
function addSample(mock: Mock, index: number) {
  const path = `/lab/samples/sample-${String(index).padStart(4, '0')}.csv`;
  const tags = [...guessTags(path), tag('sample', 'keyword', 'words of the name', 0.9)];
  putFile(mock, { path, size: 2_000 + index * 731, mediaType: 'text/csv', tags, modified: hoursAgo(index) });
}

const PLACES = ['Lago di Braies', 'Kyoto', '杭州', 'Lofoten'];
const CAMERAS = ['Fujifilm X-T4', 'Pixel 8', 'Canon EOS R6'];
const SUBJECTS = ['lake', 'mountain', 'temple', 'snow', 'street', 'forest', 'sea', 'night'];

function addFiles(mock: Mock) {
  for (let index = 0; index < 36; index += 1) addPhoto(mock, index);
  const others: [path: string, size: number, words: string[]][] = [
    ['/papers/cauchy-reed-solomon.pdf', 412_380, ['erasure', 'coding', 'galois']],
    ['/papers/copysets.pdf', 688_120, ['replication', 'placement']],
    ['/papers/the tail at scale.pdf', 1_204_551, ['latency', 'hedging']],
    ['/papers/纠删码综述.pdf', 2_310_004, ['erasure', '存储']],
    ['/papers/reading notes.md', 18_230, ['erasure', 'latency', 'notes']],
    ['/music/Étude Op. 10 No. 3.flac', 31_220_110, ['piano', 'chopin']],
    ['/music/field recording, harbour.wav', 88_200_044, ['harbour', 'sea']],
    ['/music/夜曲.mp3', 7_340_032, ['piano', 'night']],
    ['/sources/linux-6.12.tar.gz', 233_120_882, ['kernel', 'source']],
    ['/sources/asterism-0.1.0.tar.gz', 4_120_882, ['source', 'erasure']],
    ['/lab/run-0417/temperatures.csv', 5_120_331, ['sensor', 'april']],
    ['/lab/run-0417/spectrum.csv', 12_903_114, ['sensor', 'spectrum']],
    ['/lab/run-0417/notes.txt', 2_044, ['sensor', 'notes']],
    ['/lab/run-0418/temperatures.csv', 5_220_119, ['sensor', 'april']],
    ['/welcome to 100% of your files.txt', 1_204, ['notes']],
    ['/<img src=x onerror=alert(1)>.html', 88, ['notes']],
    ['/video/harbour timelapse.mp4', 812_300_221, ['harbour', 'sea', 'night']],
  ];
  others.forEach(([path, size, words], index) => {
    const tags = [
      ...guessTags(path),
      ...words.map((word) => tag(word, 'keyword', 'text', 0.55 + (index % 4) / 10)),
    ];
    putFile(mock, { path, size, mediaType: mediaTypeOf(path), tags, modified: hoursAgo(index * 31 + 1) });
  });
}

function addPhoto(mock: Mock, index: number) {
  const year = 2023 + (index % 2);
  const path = `/photos/${year}/DSCF${4100 + index * 7}.jpg`;
  const subject = SUBJECTS[index % SUBJECTS.length] ?? '';
  const second = SUBJECTS[(index * 3 + 1) % SUBJECTS.length] ?? '';
  const tags = [
    ...guessTags(path),
    tag(subject, 'keyword', 'words of the name', 0.9),
    ...(second === subject ? [] : [tag(second, 'keyword', 'caption', 0.6)]),
    tag(PLACES[index % PLACES.length] ?? '', 'place', 'EXIF GPS position', 0.95),
    tag(CAMERAS[index % CAMERAS.length] ?? '', 'camera', 'EXIF Model', 1),
    tag(String(year), 'date', 'EXIF DateTimeOriginal', 1),
    ...(index % 5 === 0 ? [{ ...tag('holiday', 'user', '', 1), source: 'admin', version: '' }] : []),
  ];
  putFile(mock, {
    path,
    size: 4_200_000 + index * 91_733,
    mediaType: 'image/jpeg',
    tags,
    modified: hoursAgo(24 * 30 * (index % 12) + index),
  });
}

function hoursAgo(hours: number): string {
  return new Date(Date.now() - hours * HOUR_MS).toISOString();
}
