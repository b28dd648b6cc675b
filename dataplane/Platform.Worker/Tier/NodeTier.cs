using Platform.DataPlane.Nvme;

namespace Platform.Worker.Tier;

/// <summary>The node's NVMe tier as the rest of the worker uses it.</summary>
internal sealed class NodeTier(NvmeTier tier) : ITierView
{
    private const string Models = "models/";

    public NvmeTier Tier => tier;

    public long Bytes => tier.UsedBytes;

    public long LimitBytes => tier.LimitBytes;

    public IReadOnlyDictionary<string, long> BytesByModel()
    {
        var bytes = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var blob in tier.ListAsync().GetAwaiter().GetResult())
        {
            if (ModelOf(blob.Key) is { } model)
            {
                bytes[model] = bytes.GetValueOrDefault(model) + blob.LandedBytes;
            }
        }

        return bytes;
    }

    public IReadOnlyDictionary<string, long> BytesByArtifact(int count) => tier.ListAsync().GetAwaiter().GetResult()
        .Where(blob => ModelOf(blob.Key) is null)
        .OrderByDescending(blob => blob.LandedBytes)
        .Take(count)
        .ToDictionary(blob => blob.Key, blob => blob.LandedBytes, StringComparer.Ordinal);

    /// <summary>Removes every file of a model.</summary>
    public async Task ForgetAsync(string model, CancellationToken cancellationToken)
    {
        foreach (var blob in await tier.ListAsync(cancellationToken))
        {
            if (ModelOf(blob.Key) == model)
            {
                await tier.RemoveAsync(blob.Key, cancellationToken);
            }
        }
    }

    /// <summary>The model to whose folder a key belongs; null if to none.</summary>
    private static string? ModelOf(string key)
    {
        var end = key.StartsWith(Models, StringComparison.Ordinal) ? key.IndexOf('/', Models.Length) : -1;
        return end < 0 ? null : key[Models.Length..end];
    }
}
