import { Button } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { type ErrorComponentProps, Link, useRouter } from '@tanstack/react-router';
import { text } from '../text';
import { Empty } from '../ui/Empty';
import { Failure } from '../ui/Failure';
import { PageTitle } from '../ui/PageTitle';

/** What stands in for a page that could not be drawn. */
export function Broken({ error }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <main style={{ maxWidth: '40rem', margin: '10vh auto 0' }}>
      <Failure error={error} onRetry={() => void router.invalidate()} />
    </main>
  );
}

export function NotFound() {
  return (
    <main style={{ paddingTop: '10vh' }}>
      <PageTitle>{text.errors.notFoundTitle}</PageTitle>
      <Empty icon={<IconMapOff size={22} />} title={text.errors.notFoundTitle}>
        <p>{text.errors.notFoundLead}</p>
        <Button variant="default" component={Link} to="/files">
          {text.errors.home}
        </Button>
      </Empty>
    </main>
  );
}
