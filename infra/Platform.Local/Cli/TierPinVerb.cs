using System.CommandLine;
using System.Text.Json;
using Platform.Jobs;

namespace Platform.Local.Cli;

/// <summary><c>platform tier pin</c> and <c>unpin</c>: what is to stay in the NVMe tiers whatever comes.</summary>
internal static class TierPinVerb
{
    public static Command Pin() => Create(
        "pin",
        "Keep a blob in the NVMe tier of each node: it is not evicted, also after a restart, and also if it comes later. Nothing is fetched.",
        "platform tier pin models/demo/model.safetensors --node worker-0",
        pinned: true);

    public static Command Unpin() => Create("unpin", "Let a pinned blob be evicted again.", "platform tier unpin models/demo/model.safetensors", pinned: false);

    private static Command Create(string name, string description, string example, bool pinned)
    {
        var key = new Argument<string>("key") { Description = "Key of a blob, as `tier ls` shows it" };
        var node = TierVerb.NodeOption();
        var verb = ExampleHelp.Add(new Command(name, description) { key, node, CommonOptions.Json }, example);
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var pins = new List<TierPin>();
            foreach (var worker in await TierVerb.NodesAsync(client, command.GetValue(node), cancellationToken))
            {
                pins.Add(await client.PinAsync(worker, command.GetValue(key)!, pinned, cancellationToken));
            }

            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine($"[{string.Join(',', pins.Select(pin => JsonSerializer.Serialize(pin, JobsJson.Default.TierPin)))}]");
                return ExitCodes.Done;
            }

            foreach (var pin in pins)
            {
                Console.WriteLine($"{pin.Worker}: {pin.Key} is {(pin.Changed ? "" : "as before ")}{(pin.Pinned ? "pinned" : "not pinned")}{(pin is { Pinned: true, Here: false } ? "; it is not here yet, and stays once it comes" : "")}");
            }

            return ExitCodes.Done;
        });
        return verb;
    }
}
