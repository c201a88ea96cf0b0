import {
  IconFile,
  IconFileCode,
  IconFileMusic,
  IconFileSpreadsheet,
  IconFileText,
  IconFileTypePdf,
  IconFileZip,
  IconFolderFilled,
  IconMovie,
  IconPhoto,
} from '@tabler/icons-react';

type Icon = typeof IconFile;

const BY_PREFIX: [prefix: string, icon: Icon, color: string][] = [
  ['image/', IconPhoto, '#37a36b'],
  ['video/', IconMovie, '#c765c9'],
  ['audio/', IconFileMusic, '#e07a3f'],
  ['application/pdf', IconFileTypePdf, '#e2574c'],
  ['text/csv', IconFileSpreadsheet, '#37a36b'],
  ['text/html', IconFileCode, '#4c8dff'],
  ['text/', IconFileText, '#6f87a8'],
  ['application/json', IconFileCode, '#4c8dff'],
  ['application/zip', IconFileZip, '#b98b2f'],
  ['application/gzip', IconFileZip, '#b98b2f'],
  ['application/x-tar', IconFileZip, '#b98b2f'],
  ['application/vnd.', IconFileText, '#4c8dff'],
];

interface Props {
  kind: 'file' | 'folder';
  mediaType?: string;
}

export function FileIcon({ kind, mediaType = '' }: Props) {
  if (kind === 'folder')
    return <IconFolderFilled size={18} color="#7a8ff0" aria-hidden style={{ flexShrink: 0 }} />;
  const [, Chosen, color] = BY_PREFIX.find(([prefix]) => mediaType.startsWith(prefix)) ?? [
    '',
    IconFile,
    '#8a8f98',
  ];
  return <Chosen size={18} color={color} stroke={1.6} aria-hidden style={{ flexShrink: 0 }} />;
}
