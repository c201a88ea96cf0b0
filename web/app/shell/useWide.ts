import { useMediaQuery } from '@mantine/hooks';

/** Room for the navigation at the side and the search field on top. The style sheets use the same width. */
export function useWide(): boolean {
  return useMediaQuery('(min-width: 48em)', true, { getInitialValueInEffect: false });
}
