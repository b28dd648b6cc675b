using System.CommandLine;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform tier</c>: what the NVMe tiers hold, and why.</summary>
internal static class TierVerb
{
    public static Command Create() => new("tier", "Look into the NVMe tiers.") { List(), Explain() };

    private static Command List()
    {
        var node = NodeOption();
        var verb = ExampleHelp.Add(new Command("ls", "List the blobs in the NVMe tier of each node.") { node, CommonOptions.Json }, "platform tier ls --node worker-0");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var all = new System.Text.Json.Nodes.JsonObject();
            foreach (var worker in await NodesAsync(client, command.GetValue(node), cancellationToken))
            {
                all[worker] = await client.GetTierAsync(worker, cancellationToken);
            }

            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine(all.ToJsonString());
                return ExitCodes.Done;
            }

            var table = new Table().RoundedBorder().AddColumns("node", "key", "state", "bytes here", "length");
            foreach (var (worker, tier) in all)
            {
                foreach (var blob in tier!["blobs"]!.AsArray())
                {
                    table.AddRow(worker, Markup.Escape((string)blob!["key"]!), Markup.Escape((string)blob["state"]!), Quantity.Bytes((long)blob["residentBytes"]!), Quantity.Bytes((long)blob["lengthBytes"]!));
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
            var all = new System.Text.Json.Nodes.JsonObject();
            foreach (var worker in await NodesAsync(client, command.GetValue(node), cancellationToken))
            {
                all[worker] = await client.ExplainAsync(worker, command.GetValue(key)!, cancellationToken);
            }

            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine(all.ToJsonString());
                return ExitCodes.Done;
            }

            foreach (var (worker, answer) in all)
            {
                AnsiConsole.MarkupLineInterpolated($"[bold]{worker}[/]: {(string?)answer!["explanation"] ?? answer.ToJsonString()}");
            }

            return ExitCodes.Done;
        });
        return verb;
    }

    private static Option<string?> NodeOption() => new("--node") { Description = "Only this node (default: every living one)" };

    private static async Task<IReadOnlyList<string>> NodesAsync(PlatformClient client, string? node, CancellationToken cancellationToken) =>
        node is not null ? [node] : [.. (await client.GetNodesAsync(cancellationToken)).Nodes.Where(each => each.Alive).Select(each => each.Heartbeat.Worker)];
}
