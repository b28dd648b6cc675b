using System.Text;
using System.Text.Json;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>Finished items of a batch job in object storage, so that a later attempt need not do them again.</summary>
/// <remarks>A part is a header line and one line per item. Parts of several attempts may hold the same item; any of them will do.</remarks>
internal sealed class BatchParts(IObjectStorage storage, RunJobRequest request, string fingerprint, TimeSpan keepEvery, TimeProvider time) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _writing = new(1);
    private List<string> _fresh = [];
    private long _freshSince;
    private int _sequence;

    /// <summary>Items that earlier attempts have finished, by index, as their lines. Parts that cannot be read are passed over: their items are done again.</summary>
    public async Task<Dictionary<int, string>> LoadAsync(int items, CancellationToken cancellationToken)
    {
        var found = new Dictionary<int, string>();
        await foreach (var part in storage.ListAsync(ObjectKeys.JobParts(request.JobId), cancellationToken))
        {
            var bytes = new byte[part.LengthBytes];
            await storage.ReadAsync(part.Key, 0, bytes, part.ETag, cancellationToken);
            var lines = Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (lines.Length == 0 || Parse(lines[0], BatchJson.Default.PartHeader)?.Fingerprint != fingerprint)
            {
                continue;
            }

            foreach (var line in lines.Skip(1))
            {
                if (Parse(line, BatchJson.Default.ItemResult) is { } item && item.Index >= 0 && item.Index < items)
                {
                    found.TryAdd(item.Index, line);
                }
            }
        }

        return found;
    }

    /// <summary>Adds a finished item; it is kept at once, or with others a moment later.</summary>
    public async Task AddAsync(string line, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_fresh.Count == 0)
            {
                _freshSince = time.GetTimestamp();
            }

            _fresh.Add(line);
            if (time.GetElapsedTime(_freshSince) < keepEvery)
            {
                return;
            }
        }

        await KeepAsync(cancellationToken);
    }

    public void Dispose() => _writing.Dispose();

    /// <summary>Removes every part of the job.</summary>
    public static async Task DeleteAsync(IObjectStorage storage, string jobId, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        await foreach (var part in storage.ListAsync(ObjectKeys.JobParts(jobId), cancellationToken))
        {
            keys.Add(part.Key);
        }

        foreach (var key in keys)
        {
            await storage.DeleteAsync(key, cancellationToken);
        }
    }

    private async Task KeepAsync(CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            List<string> lines;
            lock (_lock)
            {
                (lines, _fresh) = (_fresh, []);
            }

            if (lines.Count == 0)
            {
                return;
            }

            var header = JsonSerializer.Serialize(new PartHeader(fingerprint), BatchJson.Default.PartHeader);
            var key = $"{ObjectKeys.JobParts(request.JobId)}{request.Token:D6}-{_sequence++:D6}.jsonl";
            await storage.PutAsync(key, Encoding.UTF8.GetBytes(header + "\n" + string.Join('\n', lines) + "\n"), default, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    private static T? Parse<T>(string line, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(line, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
