using System.CommandLine;
using System.Text.Json;
using Platform.Jobs;

namespace Platform.Local.Cli;

/// <summary><c>platform tier verify</c>: compares every chunk in the NVMe tiers with its checksum, blob by blob.</summary>
internal static class TierVerifyVerb
{
    public static Command Create()
    {
        var node = TierVerb.NodeOption();
        var repair = new Option<bool>("--repair") { Description = "Fetch damaged chunks again from object storage; what is an only copy cannot be" };
        var verb = ExampleHelp.Add(
            new Command("verify", "Compare every chunk in the NVMe tier of each node with its checksum. Exit code 1 if something is damaged, and stays so.") { node, repair, CommonOptions.Json },
            "platform tier verify",
            "platform tier verify --node worker-0 --repair");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var json = command.GetValue(CommonOptions.Json);
            var found = new List<TierVerification>();
            foreach (var worker in await TierVerb.NodesAsync(client, command.GetValue(node), cancellationToken))
            {
                found.AddRange(await VerifyAsync(client, worker, command.GetValue(repair), json ? Console.Error : Console.Out, cancellationToken));
            }

            if (json)
            {
                Console.WriteLine($"[{string.Join(',', found.Select(blob => JsonSerializer.Serialize(blob, JobsJson.Default.TierVerification)))}]");
            }
            else
            {
                Console.WriteLine(Summary(found));
            }

            return found.Any(blob => blob.Damage.Any(chunk => !chunk.Repaired)) ? ExitCodes.Failed : ExitCodes.Done;
        });
        return verb;
    }

    /// <summary>In words: how much was compared, and what came of it.</summary>
    internal static string Summary(IReadOnlyCollection<TierVerification> found)
    {
        var damaged = found.Sum(blob => blob.Damage.Count(chunk => !chunk.Repaired));
        var repaired = found.Sum(blob => blob.Damage.Count(chunk => chunk.Repaired));
        return $"{found.Count} blobs, {Quantity.Bytes(found.Sum(blob => blob.CheckedBytes))} compared: {(damaged == 0 ? "nothing is damaged" : $"{damaged} damaged chunks")}{(repaired == 0 ? "" : $", {repaired} fetched again")}.";
    }

    /// <summary>One blob: a line, and one more for each damaged chunk.</summary>
    internal static IEnumerable<string> Lines(TierVerification blob, int number, int count)
    {
        yield return $"{blob.Worker} {number}/{count} {blob.Key}: {Quantity.Bytes(blob.CheckedBytes)}, {(blob.Damage.Count == 0 ? "intact" : $"{blob.Damage.Count} damaged chunks")}";
        foreach (var chunk in blob.Damage)
        {
            yield return $"  '{blob.File}', offset {chunk.Offset}, {chunk.LengthBytes} bytes: {chunk.Problem} {chunk.Outlook}";
        }
    }

    private static async Task<List<TierVerification>> VerifyAsync(PlatformClient client, string worker, bool repair, TextWriter progress, CancellationToken cancellationToken)
    {
        var blobs = (await client.GetTierAsync(worker, cancellationToken)).Blobs;
        var found = new List<TierVerification>();
        for (var i = 0; i < blobs.Count; i++)
        {
            // A blob may have been evicted since it was listed.
            if (await client.VerifyAsync(worker, blobs[i].Key, repair, cancellationToken) is { } blob)
            {
                found.Add(blob);
                foreach (var line in Lines(blob, i + 1, blobs.Count))
                {
                    await progress.WriteLineAsync(line);
                }
            }
        }

        return found;
    }
}
