using System.Text.Json.Nodes;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;

namespace Platform.Local.Demo;

/// <summary>Reads a job's committed results back from object storage and checks that none is missing.</summary>
internal static class DemoResults
{
    /// <summary>Number of results, every one of them in its place and not empty.</summary>
    /// <exception cref="PlatformException">A result is missing, out of order or empty.</exception>
    public static async Task<int> CountAsync(IObjectStorage storage, JobStatus job, CancellationToken cancellationToken)
    {
        if (job.Result is not { } result)
        {
            throw new PlatformException($"Job {job.Id} succeeded without a result.");
        }

        await using var stream = await storage.OpenReadAsync(result.Key, cancellationToken: cancellationToken);
        using var lines = new StreamReader(stream);
        var count = 0;
        while (await lines.ReadLineAsync(cancellationToken) is { } line)
        {
            var item = JsonNode.Parse(line)!;
            if ((int?)item["index"] != count || string.IsNullOrWhiteSpace((string?)item["text"]))
            {
                throw new PlatformException($"Line {count + 1} of {result.Key} is not the result of prompt {count}: {line}");
            }

            count++;
        }

        return count;
    }
}
