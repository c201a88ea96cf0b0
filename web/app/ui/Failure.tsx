import { Alert, Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { ApiError } from '../api/client';
import { text } from '../text';

interface Props {
  error: unknown;
  onRetry?: (() => void) | undefined;
}

/** Why something is not shown, in the server's own sentence, and the way to ask again. */
export function Failure({ error, onRetry }: Props) {
  const message = error instanceof Error ? error.message : text.errors.unexpected;
  const request = error instanceof ApiError ? error.problem.request_id : '';
  return (
    <Alert
      color="red"
      variant="light"
      icon={<IconAlertTriangle size={18} />}
      title={text.errors.title}
      m="md"
    >
      <Text size="sm">{message}</Text>
      <Group gap="sm" mt="xs">
        {onRetry && (
          <Button size="compact-sm" variant="default" onClick={onRetry}>
            {text.errors.retry}
          </Button>
        )}
        {request && (
          <Text size="xs" c="dimmed" ff="monospace">
            {text.errors.requestId(request)}
          </Text>
        )}
      </Group>
    </Alert>
  );
}
