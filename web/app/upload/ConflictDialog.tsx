import { Button, Checkbox, Group, Modal, Text } from '@mantine/core';
import { useState } from 'react';
import { text } from '../text';
import { nextConflict, totalsOf } from './queue';
import { useQueue, useUploads } from './useUploads';

/** Asks, one name after the other or for all at once, whether what is there may go. */
export function ConflictDialog() {
  const queue = useQueue();
  const uploads = useUploads();
  const [forAll, setForAll] = useState(false);
  const conflict = nextConflict(queue);
  if (!conflict) return null;

  const others = totalsOf(queue).conflicts - 1;
  const answer = (choice: 'replace' | 'skip') => {
    if (forAll) uploads.decide(choice);
    else uploads[choice](conflict.id);
  };

  return (
    <Modal
      opened
      centered
      zIndex={300}
      title={text.upload.conflictTitle}
      onClose={() => uploads.skip(conflict.id)}
      closeButtonProps={{ 'aria-label': text.upload.skip }}
    >
      <div data-testid="conflict" data-path={conflict.path}>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {text.upload.conflictLead(conflict.path)} {others > 0 && text.upload.conflictMore(others)}
        </Text>
        <Checkbox
          mt="md"
          label={text.upload.conflictAll}
          checked={forAll}
          onChange={(event) => setForAll(event.currentTarget.checked)}
        />
        <Group justify="flex-end" mt="lg" gap="xs">
          <Button variant="default" onClick={() => answer('skip')} data-testid="conflict-skip" data-autofocus>
            {text.upload.skip}
          </Button>
          <Button color="red.8" onClick={() => answer('replace')} data-testid="conflict-replace">
            {text.upload.replace}
          </Button>
        </Group>
      </div>
    </Modal>
  );
}
