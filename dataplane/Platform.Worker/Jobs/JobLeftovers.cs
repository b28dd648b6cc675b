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
        var parts = ObjectKeys.JobParts(jobId);
        var results = ObjectKeys.JobResults(jobId, 0);
        var resultsPrefix = results[..results.LastIndexOf('0')];
        var found = new List<ObjectInfo>();
        foreach (var prefix in (string[])[parts, resultsPrefix])
        {
            await foreach (var item in storage.ListAsync(prefix, cancellationToken))
            {
                if (prefix == parts || (TokenOf(item.Key, resultsPrefix) is { } token && token != keepToken))
                {
                    found.Add(item);
                }
            }
        }

        foreach (var item in found)
        {
            await storage.DeleteAsync(item.Key, cancellationToken);
        }

        return new TidyAnswer(found.Count, found.Sum(item => item.LengthBytes));
    }

    /// <summary>Null for a key that is not one of <see cref="ObjectKeys.JobResults"/>: it is not ours to delete.</summary>
    private static long? TokenOf(string key, string prefix)
    {
        var end = key.IndexOf('.', prefix.Length);
        return end > 0 && long.TryParse(key.AsSpan(prefix.Length, end - prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var token) ? token : null;
    }
}
