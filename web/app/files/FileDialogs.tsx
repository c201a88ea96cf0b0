import { text } from '../text';
import type { Dialog } from './dialogs';
import { MoveDialog } from './MoveDialog';
import { useMakeFolder, useRename } from './mutations';
import { NameDialog } from './NameDialog';
import { join, parentOf } from './path';

interface Props {
  dialog: Dialog | null;
  onClose: () => void;
  onRenamed: (from: string, to: string) => void;
}

export function FileDialogs({ dialog, onClose, onRenamed }: Props) {
  const makeFolder = useMakeFolder();
  const rename = useRename();
  if (!dialog) return null;
  switch (dialog.name) {
    case 'mkdir':
      return (
        <NameDialog
          title={text.dialogs.mkdirTitle}
          label={text.dialogs.mkdirName}
          submit={text.dialogs.mkdirSubmit}
          initial=""
          onSubmit={(name) => makeFolder.mutateAsync(join(dialog.folder, name))}
          onClose={onClose}
        />
      );
    case 'rename': {
      const { name, path, kind } = dialog.entry;
      return (
        <NameDialog
          title={text.dialogs.renameTitle(name)}
          label={text.dialogs.renameName}
          submit={text.dialogs.renameSubmit}
          initial={name}
          // The extension is seldom what a person wants to change.
          selectUntil={kind === 'file' && name.lastIndexOf('.') > 0 ? name.lastIndexOf('.') : name.length}
          onSubmit={async (to) => {
            const target = join(parentOf(path), to);
            if (target === path) return;
            await rename.mutateAsync({ from: path, to: target });
            onRenamed(path, target);
          }}
          onClose={onClose}
        />
      );
    }
    case 'move':
      return <MoveDialog paths={dialog.paths} onClose={onClose} />;
  }
}
