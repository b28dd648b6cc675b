using System.Buffers.Binary;
using System.Globalization;
using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Brings back what a tier's folder holds when it is opened: finishes, resumes or removes what a crash left half done.</summary>
internal sealed class Recovery(TierEnvironment tier, Residents residents)
{
    /// <summary>Restores every recorded blob that is as its record says, and removes files that have no record.</summary>
    public async Task RunAsync()
    {
        // Then their records may have been lost with a damaged catalog: they are set aside instead.
        var keepOrphans = tier.Catalog.TryGet(CatalogRecovery.Salvaged, out _);
        new Pins(tier, residents).Restore();
        var known = await RestoreAllAsync();
        var orphans = Directory.GetFiles(tier.BlobFolder).Where(path => !known.Contains(path)).ToList();
        foreach (var orphan in orphans)
        {
            KeepNameOf(orphan);
            if (keepOrphans)
            {
                SetAside(orphan);
            }
            else
            {
                File.Delete(orphan);
            }
        }

        if (keepOrphans)
        {
            Posix.SyncFolder(tier.Options.Folder);
            Posix.SyncFolder(tier.BlobFolder);
            await tier.Catalog.CommitAsync([new(CatalogRecovery.Salvaged, null)]);
        }

        CountSetAside();
        NvmeLog.Opened(tier.Logger, tier.Options.Folder, residents.Blobs.Count, residents.UsedBytes, residents.LimitBytes, orphans.Count);
    }

    /// <summary>What a damaged catalog left, and only copies that are not whole, take room until somebody has looked at it and deleted it.</summary>
    private void CountSetAside()
    {
        foreach (var folder in new[] { CatalogRecovery.LostFolder, CatalogRecovery.AsideFolder }.Select(name => Path.Combine(tier.Options.Folder, name)).Where(Directory.Exists))
        {
            foreach (var file in new DirectoryInfo(folder).EnumerateFiles())
            {
                residents.SetAside(file.Length);
                KeepNameOf(file.FullName);
            }
        }
    }

    /// <summary>Moves a file to where somebody can look at it.</summary>
    private string SetAside(string path)
    {
        var lost = Directory.CreateDirectory(Path.Combine(tier.Options.Folder, CatalogRecovery.LostFolder)).FullName;
        var aside = Path.Combine(lost, Path.GetFileName(path));
        File.Move(path, aside, overwrite: true);
        return aside;
    }

    /// <summary>Sees to it that no other blob gets a file's name: were that one set aside as well, it would take the place of this one.</summary>
    private void KeepNameOf(string path)
    {
        if (long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var id))
        {
            residents.NextId = Math.Max(residents.NextId, id + 1);
        }
    }

    /// <returns>The paths of the restored blobs' files.</returns>
    private async Task<HashSet<string>> RestoreAllAsync()
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        var dropped = new List<DurableWrite>();
        foreach (var key in tier.Catalog.Keys("blob/").ToList())
        {
            tier.Catalog.TryGet(key, out var bytes);
            var record = BlobRecord.Read(bytes);
            residents.NextId = Math.Max(residents.NextId, record.Id + 1);
            var blob = new Blob(tier, record);
            var fault = Restore(blob) ?? (residents.TryEnter(blob) ? null : "another blob has its key");
            if (fault is not null)
            {
                if (record.Durability == Durability.OnlyCopy && File.Exists(blob.FilePath))
                {
                    fault += $"; it was the only copy, and what is there of it is now '{SetAside(blob.FilePath)}'";
                }

                NvmeLog.Dropped(tier.Logger, record.Key, fault);
                residents.Remember(record.Key, $"It was dropped when the tier was opened: {fault}.");
                blob.Dispose();
                dropped.AddRange(BlobLayout.RemovalWrites(tier.Catalog, record.Id));
                continue;
            }

            known.Add(blob.FilePath);
            residents.Budget.Add(blob);
            blob.LastUsed = residents.Tick();
            residents.Take(record.Layout.AllocatedBytes);
            _ = blob.Recorder.SealIfWhole();
        }

        await tier.Catalog.CommitAsync(dropped);
        return known;
    }

    /// <summary>Opens a recorded blob's file and notes its chunks.</summary>
    /// <returns>Null, or why the blob is lost.</returns>
    private string? Restore(Blob blob)
    {
        var file = new FileInfo(blob.FilePath);
        if (!file.Exists)
        {
            return $"'{file.FullName}' is missing";
        }

        // A blob may be cut to its exact length before its seal is recorded, and grow by the rest of a sector while a damaged last chunk is replaced.
        if (file.Length != blob.Layout.AllocatedBytes && file.Length != blob.Layout.LengthBytes)
        {
            return $"'{file.FullName}' has {file.Length} bytes, its record says {(blob.IsSealed ? blob.Layout.LengthBytes : blob.Layout.AllocatedBytes)}";
        }

        blob.OpenFile(create: false);
        if (blob.IsSealed && file.Length != blob.Layout.LengthBytes)
        {
            blob.File.SetLength(blob.Layout.LengthBytes);
        }

        var prefix = BlobLayout.ChunkPrefix(blob.Record.Id);
        foreach (var key in blob.IsSealed ? [] : tier.Catalog.Keys(prefix))
        {
            if (tier.Catalog.TryGet(key, out var crc))
            {
                blob.Chunks.Land(Convert.ToInt32(key[prefix.Length..], 16), BinaryPrimitives.ReadUInt32LittleEndian(crc));
            }
        }

        return null;
    }
}
