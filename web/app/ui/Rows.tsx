import { Skeleton } from '@mantine/core';

/** Where rows will stand: the page keeps its shape while they load. */
export function Rows({ count = 8, height = 20 }: { count?: number; height?: number }) {
  return (
    <div aria-hidden style={{ display: 'grid', gap: '1rem', padding: '0.75rem 1rem' }}>
      {Array.from({ length: count }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no identity
        <Skeleton key={index} height={height} width={`${92 - ((index * 17) % 40)}%`} />
      ))}
    </div>
  );
}
