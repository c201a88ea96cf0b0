import { createTheme, type MantineColorsTuple } from '@mantine/core';

/** Neutral with a touch of blue: surfaces stay calm, and colour is left for what matters. */
const dark: MantineColorsTuple = [
  '#d5d8df',
  '#b4b8c2',
  '#8f95a3',
  '#666d7c',
  '#3b414d',
  '#2b303a',
  '#20242c',
  '#16191f',
  '#111318',
  '#0c0e12',
];

const star: MantineColorsTuple = [
  '#eef1ff',
  '#dbe1fd',
  '#b6c1f7',
  '#8f9ff1',
  '#6e81ec',
  '#596fe9',
  '#4a5fdd',
  '#3d50c4',
  '#3447ae',
  '#283a96',
];

export const theme = createTheme({
  colors: { dark, star },
  primaryColor: 'star',
  primaryShade: 6,
  autoContrast: true,
  defaultRadius: 'sm',
  cursorType: 'pointer',
  // System fonts alone: the page loads nothing from elsewhere, and Chinese names look native.
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  headings: { fontWeight: '600' },
  components: {
    Button: { styles: { label: { fontWeight: 500 } } },
    Badge: { styles: { label: { fontWeight: 600 } } },
    Modal: { styles: { title: { fontWeight: 600, overflowWrap: 'anywhere' } } },
  },
});
