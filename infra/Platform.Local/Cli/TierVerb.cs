using System.CommandLine;
using System.Text.Json;
using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform tier</c>: what the NVMe tiers hold, and why; whether it is intact, and what is to stay.</summary>
internal static class TierVerb
{
    public static Command Create() => new("tier", "Look into the NVMe tiers.") { List(), Explain(), TierVerifyVerb.Create(), TierPinVerb.Pin(), TierPinVerb.Unpin() };

    private static Command List()
    {
        var node = NodeOption();
        var verb = ExampleHelp.Add(new Command("ls", "List the blobs in the NVMe tier of each node.") { node, CommonOptions.Json }, "platform tier ls --node worker-0");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var tiers = new List<TierTable>();
            foreach (var worker in await NodesAsync(client, command.GetValue(node), cancellationToken))
            {
                tiers.Add(await client.GetTierAsync(worker, cancellationToken));
            }

            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine($"[{string.Join(',', tiers.Select(tier => JsonSerializer.Serialize(tier, JobsJson.Default.TierTable)))}]");
                return ExitCodes.Done;
            }

            var table = new Table().RoundedBorder().AddColumns("node", "key", "class", "here", "of", "sealed", "elsewhere", "pinned", "leases");
            foreach (var tier in tiers)
            {
                foreach (var blob in tier.Blobs)
                {
                    table.AddRow(
                        tier.Worker,
                        Markup.Escape(blob.Key),
                        blob.Class ?? "",
                        Quantity.Bytes(blob.LandedBytes),
                        Quantity.Bytes(blob.LengthBytes),
                        blob.Sealed ? "yes" : "no",
                        blob.Durability switch { "onlyCopy" => "no: the only copy", "replicated" => "copied", _ => "yes" },
                        blob.Pinned ? "yes" : "no",
                        blob.Leases.ToString());
                }
            }

            AnsiConsole.Write(table);
            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Explain()
    {
        var key = new Argument<string>("key") { Description = "Key of a blob, as `tier ls` shows it" };
        var node = NodeOption();
        var verb = ExampleHelp.Add(new Command("explain", "Say why a blob is, or is not, in the tier of each node.") { key, node, CommonOptions.Json }, "platform tier explain models/demo/model.safetensors");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var reasons = new List<TierReason>();
            foreach (var worker in await NodesAsync(client, command.GetValue(node), cancellationToken))
            {
                reasons.Add(await client.ExplainAsync(worker, command.GetValue(key)!, cancellationToken));
            }

            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine($"[{string.Join(',', reasons.Select(reason => JsonSerializer.Serialize(reason, JobsJson.Default.TierReason)))}]");
                return ExitCodes.Done;
            }

            foreach (var reason in reasons)
            {
                AnsiConsole.MarkupLineInterpolated($"[bold]{reason.Worker}[/]: {reason.Reason} {reason.Eviction} ({Quantity.Bytes(reason.UsedBytes)} of {Quantity.Bytes(reason.LimitBytes)} used{(reason.EvictionRank is { } rank ? $"; {rank} go before it" : "")})");
            }

            return ExitCodes.Done;
        });
        return verb;
    }

    /// <summary>One node instead of all.</summary>
    internal static Option<string?> NodeOption() => new("--node") { Description = "Only this node (default: every living one)" };

    /// <summary>The nodes that a command line names.</summary>
    internal static async Task<IReadOnlyList<string>> NodesAsync(PlatformClient client, string? node, CancellationToken cancellationToken) =>
        node is not null ? [node] : [.. (await client.GetStatusAsync(cancellationToken)).Nodes.Where(each => each.Alive).Select(each => each.Heartbeat.Worker)];
}
