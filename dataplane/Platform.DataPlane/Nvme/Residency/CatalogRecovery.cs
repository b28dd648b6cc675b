using Microsoft.Extensions.Logging;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Opens a tier's catalog. One that is damaged or gone is set aside, and one with what can be read of it takes its place.</summary>
/// <remarks><code>
/// catalog.new/ written, with what was salvaged and the key "salvaged" -> catalog/ renamed to catalog.damaged/ -> catalog.new/ renamed to catalog/ -> files without a record moved to lost/ -> "salvaged" deleted
/// </code>
/// A kill between two steps leaves nothing that could be taken for an empty tier, whose files nobody misses: until the last step files without a record are kept.
/// </remarks>
internal sealed class CatalogRecovery(NvmeTierOptions tier, DirectIoNotice notice, ILogger logger)
{
    /// <summary>In the catalog while files may lack a record because an earlier catalog was damaged.</summary>
    public const string Salvaged = "salvaged";

    /// <summary>Where a damaged catalog is moved to.</summary>
    public const string AsideFolder = "catalog.damaged";

    /// <summary>Where files are moved to whose record may have been lost with it.</summary>
    public const string LostFolder = "lost";

    private readonly DurableStoreOptions _options = new()
    {
        Folder = Path.Combine(tier.Folder, "catalog"),
        LimitBytes = tier.CatalogLimitBytes,
        CompactionFloorBytes = tier.MetadataBytes / 4,
        FaultPoint = tier.FaultPoint,
        IsBuffered = tier.IsBuffered,
        OnBuffered = notice.Say,
    };

    private string NewFolder => _options.Folder + ".new";

    /// <summary>Opens the catalog.</summary>
    public async Task<DurableStore> OpenAsync(CancellationToken cancellationToken)
    {
        FinishRenaming();
        if (IsGone())
        {
            await ReplaceAsync(new StorageException(StorageError.Corrupt, $"'{_options.Folder}' holds no catalog, yet there are blobs beside it."), [], cancellationToken);
        }

        try
        {
            return await DurableStore.OpenAsync(_options, cancellationToken);
        }
        catch (StorageException cause) when (cause.Error == StorageError.Corrupt)
        {
            // Records that are too old are found out by the files, the checksums and the ETags.
            await ReplaceAsync(cause, await DurableStore.SalvageAsync(_options.Folder), cancellationToken);
            return await DurableStore.OpenAsync(_options, cancellationToken);
        }
    }

    /// <summary>A new catalog counts once the old one is out of its way; before that it may be unfinished.</summary>
    private void FinishRenaming()
    {
        if (!Directory.Exists(NewFolder))
        {
            return;
        }

        if (Directory.Exists(_options.Folder))
        {
            Directory.Delete(NewFolder, recursive: true);
        }
        else
        {
            Directory.Move(NewFolder, _options.Folder);
            Posix.SyncFolder(tier.Folder);
        }
    }

    /// <summary>True if there are blobs and never was a catalog: it is made before the first of them.</summary>
    private bool IsGone() =>
        !File.Exists(Path.Combine(_options.Folder, "commit"))
        && !(Directory.Exists(_options.Folder) && Directory.EnumerateFiles(_options.Folder, "log.*").Any())
        && Directory.EnumerateFiles(Path.Combine(tier.Folder, "blobs")).Any();

    private async Task ReplaceAsync(StorageException cause, IReadOnlyList<DurableWrite> salvaged, CancellationToken cancellationToken)
    {
        // All in one commit, however much it is: the limits were kept when it was written.
        await using (var renewed = await DurableStore.OpenAsync(_options with { Folder = NewFolder, LimitBytes = long.MaxValue, MaxCommitBytes = int.MaxValue }, cancellationToken))
        {
            await renewed.CommitAsync([.. salvaged, new(Salvaged, [])], cancellationToken);
        }

        Posix.SyncFolder(tier.Folder);
        var aside = Path.Combine(tier.Folder, AsideFolder);
        if (Directory.Exists(_options.Folder))
        {
            if (Directory.Exists(aside))
            {
                Directory.Delete(aside, recursive: true);
            }

            Directory.Move(_options.Folder, aside);
        }

        Directory.Move(NewFolder, _options.Folder);
        Posix.SyncFolder(tier.Folder);
        NvmeLog.CatalogDamaged(logger, cause.Message, salvaged.Count, aside, Path.Combine(tier.Folder, LostFolder));
    }
}
