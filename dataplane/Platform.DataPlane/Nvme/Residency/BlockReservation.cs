using Platform.DataPlane.Nvme.Blocks;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>The block store's part of the budget: taken whole when the tier is opened, as one item of its class that never goes. The store keeps within it by itself.</summary>
internal sealed class BlockReservation(long bytes) : IBudgetItem
{
    private const string Folder = "blocks";

    public string Key => Folder;

    public TierClass Class => TierClass.Context;

    public long AllocatedBytes => bytes;

    public bool MayGo => false;

    public long LastUsed => 0;

    /// <summary>Opens the block store if there is to be one, and counts its part. One that is no longer wanted is deleted.</summary>
    public static async Task<BlockStore?> OpenAsync(TierEnvironment tier, Residents residents, CancellationToken cancellationToken)
    {
        var options = tier.Options;
        var folder = Path.Combine(options.Folder, Folder);
        if (options.BlockBytes == 0)
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }

            return null;
        }

        lock (residents.Gate)
        {
            residents.Budget.Add(new BlockReservation(options.BlockBytes));
            residents.Take(options.BlockBytes);
        }

        return await BlockStore.OpenAsync(
            new BlockStoreOptions
            {
                Folder = folder,
                LimitBytes = options.BlockBytes,
                MemoryBytes = options.BlockMemoryBytes,
                Logger = tier.Logger,
                IsBuffered = options.IsBuffered,
                OnBuffered = tier.Notice.Say,
                FaultPoint = options.FaultPoint,
            },
            cancellationToken);
    }
}
