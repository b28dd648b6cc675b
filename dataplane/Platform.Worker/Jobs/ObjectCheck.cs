using System.Collections.Concurrent;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>Looks whether the objects that a job names exist, all of them at once.</summary>
internal static class ObjectCheck
{
    private const int AtOnce = 8;

    /// <summary>Describes the objects, and names those that do not exist, in the order asked for.</summary>
    public static async Task<(IReadOnlyDictionary<string, ObjectInfo> Found, MissingObjects Missing)> LookAsync(IObjectStorage storage, IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        var found = new ConcurrentDictionary<string, ObjectInfo>(StringComparer.Ordinal);
        await Parallel.ForEachAsync(keys.Where(ObjectKeys.IsValid), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (key, token) =>
        {
            if (await storage.HeadAsync(key, token) is { } info)
            {
                found[key] = info;
            }
        });
        return (found, new MissingObjects([.. keys.Where(key => !found.ContainsKey(key))], storage.Name));
    }
}
