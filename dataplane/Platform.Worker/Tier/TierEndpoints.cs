using Platform.DataPlane.Nvme;
using Platform.Jobs;
using Platform.Worker.Http;

namespace Platform.Worker.Tier;

/// <summary>Shows what the NVMe tier holds, and why.</summary>
internal static class TierEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet(Routes.WorkerTier, ListAsync);
        routes.MapGet(Routes.WorkerTierExplain, Explain);
    }

    private static async Task<IResult> ListAsync(HttpContext context, NodeTier tier, WorkerNode node)
    {
        var blobs = await tier.Tier.ListAsync(context.RequestAborted);
        return Results.Json(new TierTable(node.Name, tier.Tier.UsedBytes, tier.Tier.LimitBytes, [.. blobs.Select(StatusOf)]), JobsJson.Default.TierTable);
    }

    private static IResult Explain(HttpContext context, NodeTier tier, WorkerNode node)
    {
        string? key = context.Request.Query["key"];
        if (!ObjectKeys.IsValid(key))
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"'{key}' is not an object key; expected {ObjectKeys.Rule}.");
        }

        var why = tier.Tier.Explain(key!);
        return Results.Json(
            new TierReason(node.Name, why.Key, why.Blob is { } blob ? StatusOf(blob) : null, why.Reason, why.Eviction, why.EvictionRank, why.UsedBytes, why.LimitBytes),
            JobsJson.Default.TierReason);
    }

    private static TierBlobStatus StatusOf(TierBlob blob) => new(blob.Key, blob.LengthBytes, blob.LandedBytes, blob.Sealed, blob.Leases, blob.ETag);
}
