using System.Text.Json;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Tells whether two submissions ask for the same: their JSON is equal, whatever the order of labels.</summary>
internal static class SpecComparison
{
    public static bool AreSame(JobSpec one, JobSpec other) => Canonical(one).AsSpan().SequenceEqual(Canonical(other));

    private static byte[] Canonical(JobSpec spec) => JsonSerializer.SerializeToUtf8Bytes(
        spec with { Labels = spec.Labels is null ? null : new SortedDictionary<string, string>(spec.Labels.ToDictionary(), StringComparer.Ordinal) },
        JobsJson.Default.JobSpec);
}
