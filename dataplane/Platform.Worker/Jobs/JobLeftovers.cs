using System.Globalization;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>Deletes what attempts of an ended job left in object storage: results that were never committed, and parts that no later attempt will read. Logs and the committed result stay.</summary>
internal sealed class JobLeftovers(IObjectStorage storage)
{
    /// <param name="jobId">A job that has ended; its id must be legal.</param>
    /// <param name="keepToken">Token under which its result was committed; null if it has none.</param>
    /// <param name="cancellationToken">Stops; what is left then is found by the next call.</param>
    public async Task<TidyAnswer> DeleteAsync(string jobId, long? keepToken, CancellationToken cancellationToken)
    {
        var results = ObjectKeys.JobResults(jobId, 0);
        var output = ObjectKeys.JobOutput(jobId, 0);
        (string Prefix, char End)[] byToken = [(results[..results.LastIndexOf('0')], '.'), (output[..output.LastIndexOf('0')], '/')];
        var found = new List<ObjectInfo>();
        foreach (var prefix in (string[])[ObjectKeys.JobParts(jobId), ObjectKeys.JobCheckpoint(jobId)])
        {
            found.AddRange(await ListAsync(prefix, cancellationToken));
        }

        foreach (var (prefix, end) in byToken)
        {
            found.AddRange((await ListAsync(prefix, cancellationToken)).Where(item => TokenOf(item.Key, prefix, end) is { } token && token != keepToken));
        }

        return await DeleteAsync(found, cancellationToken);
    }

    /// <summary>Deletes everything that the job has in object storage, results and logs too.</summary>
    public async Task<TidyAnswer> ForgetAsync(string jobId, CancellationToken cancellationToken) =>
        await DeleteAsync(await ListAsync(ObjectKeys.JobFolder(jobId), cancellationToken), cancellationToken);

    private async Task<TidyAnswer> DeleteAsync(List<ObjectInfo> items, CancellationToken cancellationToken)
    {
        foreach (var item in items)
        {
            await storage.DeleteAsync(item.Key, cancellationToken);
        }

        return new TidyAnswer(items.Count, items.Sum(item => item.LengthBytes));
    }

    private async Task<List<ObjectInfo>> ListAsync(string prefix, CancellationToken cancellationToken)
    {
        var found = new List<ObjectInfo>();
        await foreach (var item in storage.ListAsync(prefix, cancellationToken))
        {
            found.Add(item);
        }

        return found;
    }

    /// <summary>Null for a key that is not one of <see cref="ObjectKeys.JobResults"/> or <see cref="ObjectKeys.JobOutput"/>: it is not ours to delete.</summary>
    private static long? TokenOf(string key, string prefix, char endMark)
    {
        var end = key.IndexOf(endMark, prefix.Length);
        return end > 0 && long.TryParse(key.AsSpan(prefix.Length, end - prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var token) ? token : null;
    }
}
