using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Platform.DataPlane.Nvme.Blobs;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Brings back what a tier's folder holds when it is opened: finishes, resumes or removes what a crash left half done.</summary>
internal sealed class Recovery(TierEnvironment tier, Residents residents)
{
    private const string LostFolder = "lost";

    /// <summary>Opens the catalog. One that is damaged is set aside, and a new one started with what can be read of it.</summary>
    public static async Task<OpenedCatalog> OpenCatalogAsync(NvmeTierOptions tier, DirectIoNotice notice, ILogger logger, CancellationToken cancellationToken)
    {
        var options = new DurableStoreOptions
        {
            Folder = Path.Combine(tier.Folder, "catalog"),
            LimitBytes = tier.CatalogLimitBytes,
            CompactionFloorBytes = tier.MetadataBytes / 4,
            FaultPoint = tier.FaultPoint,
            IsBuffered = tier.IsBuffered,
            OnBuffered = notice.Say,
        };
        try
        {
            return new OpenedCatalog(await DurableStore.OpenAsync(options, cancellationToken), WasDamaged: false);
        }
        catch (StorageException cause) when (cause.Error == StorageError.Corrupt)
        {
            return new OpenedCatalog(await ReplaceCatalogAsync(options, cause, logger, cancellationToken), WasDamaged: true);
        }
    }

    /// <summary>Restores every recorded blob that is as its record says, and removes files that have no record.</summary>
    /// <param name="keepOrphans">Sets those files aside instead: their records may have been lost with a damaged catalog.</param>
    public async Task RunAsync(bool keepOrphans)
    {
        new Pins(tier, residents).Restore();
        var known = await RestoreAllAsync();
        var orphans = Directory.GetFiles(tier.BlobFolder).Where(path => !known.Contains(path)).ToList();
        foreach (var orphan in orphans)
        {
            // A name like this must not be given to another blob while this file is there.
            if (long.TryParse(Path.GetFileNameWithoutExtension(orphan), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var id))
            {
                residents.NextId = Math.Max(residents.NextId, id + 1);
            }

            if (keepOrphans)
            {
                var lost = Directory.CreateDirectory(Path.Combine(tier.Options.Folder, LostFolder)).FullName;
                File.Move(orphan, Path.Combine(lost, Path.GetFileName(orphan)), overwrite: true);
            }
            else
            {
                File.Delete(orphan);
            }
        }

        CountSetAside();
        NvmeLog.Opened(tier.Logger, tier.Options.Folder, residents.Blobs.Count, residents.UsedBytes, residents.LimitBytes, orphans.Count);
    }

    /// <summary>What a damaged catalog left takes room until somebody has looked at it and deleted it.</summary>
    private void CountSetAside()
    {
        foreach (var folder in new[] { LostFolder, "catalog.damaged" }.Select(name => Path.Combine(tier.Options.Folder, name)).Where(Directory.Exists))
        {
            residents.SetAside(new DirectoryInfo(folder).EnumerateFiles().Sum(file => file.Length));
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

    private static async Task<DurableStore> ReplaceCatalogAsync(DurableStoreOptions options, StorageException cause, ILogger logger, CancellationToken cancellationToken)
    {
        // Records that are too old are found out by the files, the checksums and the ETags.
        var salvaged = await DurableStore.SalvageAsync(options.Folder);
        var aside = options.Folder + ".damaged";
        if (Directory.Exists(aside))
        {
            Directory.Delete(aside, recursive: true);
        }

        Directory.Move(options.Folder, aside);
        var catalog = await DurableStore.OpenAsync(options, cancellationToken);
        await catalog.CommitAsync(salvaged, cancellationToken);
        NvmeLog.CatalogDamaged(logger, cause.Message, salvaged.Count, aside, Path.Combine(Path.GetDirectoryName(options.Folder)!, LostFolder));
        return catalog;
    }
}

/// <summary>The catalog of a tier that is being opened.</summary>
/// <param name="Catalog">What is known of its blobs.</param>
/// <param name="WasDamaged">True if it had to be started anew, with what could be read of the old one.</param>
internal sealed record OpenedCatalog(DurableStore Catalog, bool WasDamaged);
