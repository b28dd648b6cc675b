using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;
using Platform.Worker.Http;

namespace Platform.Worker.Tier;

/// <summary>Shows what the NVMe tier holds, and why; checks it, and pins what is to stay.</summary>
internal static class TierEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet(Routes.WorkerTier, ListAsync);
        routes.MapGet(Routes.WorkerTierExplain, Explain);
        routes.MapPost(Routes.WorkerTierVerify, VerifyAsync);
        routes.MapPut(Routes.WorkerTierPin, (HttpContext context, NodeTier tier, WorkerNode node) => PinAsync(context, tier, node, pinned: true));
        routes.MapDelete(Routes.WorkerTierPin, (HttpContext context, NodeTier tier, WorkerNode node) => PinAsync(context, tier, node, pinned: false));
    }

    private static async Task<IResult> ListAsync(HttpContext context, NodeTier tier, WorkerNode node)
    {
        var blobs = await tier.Tier.ListAsync(context.RequestAborted);
        return Json(new TierTable(node.Name, tier.Tier.UsedBytes, tier.Tier.LimitBytes, [.. blobs.Select(StatusOf)]), JobsJson.Default.TierTable);
    }

    private static IResult Explain(HttpContext context, NodeTier tier, WorkerNode node)
    {
        var why = tier.Tier.Explain(KeyOf(context));
        var reason = new TierReason(node.Name, why.Key, why.Blob is { } blob ? StatusOf(blob) : null, why.Reason, why.Eviction, why.EvictionRank, why.UsedBytes, why.LimitBytes)
        {
            Pinned = why.Pinned,
            UploadTries = why.UploadTries,
            UploadFailure = why.UploadFailure,
        };
        return Json(reason, JobsJson.Default.TierReason);
    }

    private static async Task<IResult> VerifyAsync(HttpContext context, NodeTier tier, WorkerNode node, IObjectStorage storage)
    {
        var key = KeyOf(context);
        var check = await tier.Tier.CheckAsync(key, context.Request.Query["repair"] == "true" ? storage : null, context.RequestAborted)
            ?? throw new RequestException(ErrorCodes.BlobNotFound, $"There is no blob '{key}' in the tier of {node.Name}. `platform tier ls` shows what there is.");
        var damage = check.Damage.Select(chunk => new TierChunkDamage(chunk.Offset, chunk.LengthBytes, chunk.Problem, chunk.Repaired, chunk.Outlook));
        return Json(new TierVerification(node.Name, check.Key, check.FilePath, check.CheckedBytes, [.. damage]), JobsJson.Default.TierVerification);
    }

    private static async Task<IResult> PinAsync(HttpContext context, NodeTier tier, WorkerNode node, bool pinned)
    {
        var key = KeyOf(context);
        var changed = pinned ? await tier.Tier.PinAsync(key, context.RequestAborted) : await tier.Tier.UnpinAsync(key, context.RequestAborted);
        return Json(new TierPin(node.Name, key, pinned, changed, tier.Tier.Explain(key).Blob is not null), JobsJson.Default.TierPin);
    }

    /// <summary>With a length: pieces cost each hop on the way back more than the JSON itself.</summary>
    private static IResult Json<T>(T value, JsonTypeInfo<T> type) => Results.Bytes(JsonSerializer.SerializeToUtf8Bytes(value, type), "application/json; charset=utf-8");

    private static string KeyOf(HttpContext context)
    {
        string? key = context.Request.Query["key"];
        return ObjectKeys.IsValid(key) ? key! : throw new RequestException(ErrorCodes.InvalidRequest, $"'{key}' is not an object key; expected {ObjectKeys.Rule}.");
    }

    private static TierBlobStatus StatusOf(TierBlob blob) => new(blob.Key, blob.LengthBytes, blob.LandedBytes, blob.Sealed, blob.Leases, blob.ETag)
    {
        Class = JsonNamingPolicy.CamelCase.ConvertName(blob.Class.ToString()),
        Durability = JsonNamingPolicy.CamelCase.ConvertName(blob.Durability.ToString()),
        Pinned = blob.Pinned,
    };
}
