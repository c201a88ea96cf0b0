import { Button, Group, Modal, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { text } from '../text';
import { faultOf } from './path';

interface Props {
  title: string;
  label: string;
  submit: string;
  initial: string;
  /** How much of the name is selected at first. */
  selectUntil?: number;
  onSubmit: (name: string) => Promise<unknown>;
  onClose: () => void;
}

/** Asks for a name, and says what is wrong with it before and after the server is asked. */
export function NameDialog({ title, label, submit, initial, selectUntil = 0, onSubmit, onClose }: Props) {
  const [name, setName] = useState(initial);
  const [touched, setTouched] = useState(false);
  const save = useMutation({ mutationFn: onSubmit, onSuccess: onClose });
  const fault = faultOf(name);
  const error = (touched && fault && text.dialogs.faults[fault]) || save.error?.message;

  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      centered
      closeButtonProps={{ 'aria-label': text.dialogs.close }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setTouched(true);
          if (!fault) save.mutate(name);
        }}
      >
        <TextInput
          label={label}
          value={name}
          error={error}
          data-autofocus
          data-testid="name-input"
          spellCheck={false}
          onFocus={(event) => event.currentTarget.setSelectionRange(0, selectUntil)}
          onChange={(event) => {
            setName(event.currentTarget.value);
            setTouched(true);
            save.reset();
          }}
        />
        <Group justify="flex-end" mt="md" gap="xs">
          <Button variant="default" onClick={onClose}>
            {text.dialogs.cancel}
          </Button>
          <Button type="submit" loading={save.isPending} data-testid="name-submit">
            {submit}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
