using System.CommandLine;
using Platform.Jobs;

namespace Platform.Local.Cli;

/// <summary><c>platform jobs submit</c>: a spec from a file, or a batch of prompts from a file.</summary>
internal static class JobsSubmitVerb
{
    public static Command Create()
    {
        var file = new Argument<FileInfo?>("spec") { Description = "File with a job spec, JSON or YAML", Arity = ArgumentArity.ZeroOrOne };
        var prompts = new Option<FileInfo?>("--prompts") { Description = "File with one prompt per line: makes a batch-infer job of it" };
        var model = new Option<string?>("--model", "-m") { Description = "Model of the batch" };
        var maxTokens = new Option<int>("--max-tokens", "-n") { Description = "Tokens per item", DefaultValueFactory = _ => 32 };
        var id = new Option<string?>("--id") { Description = "Id of the job: the same id again is the same job" };
        var wait = new Option<bool>("--wait", "-w") { Description = "Wait for the end; exit code 0 only if the job succeeded" };
        var follow = new Option<bool>("--follow", "-f") { Description = "Print the job's log as it comes, to the end; exit code as with --wait" };
        var verb = ExampleHelp.Add(
            new Command("submit", "Submit a job.") { file, prompts, model, maxTokens, id, wait, follow, CommonOptions.Json },
            "platform jobs submit job.yaml --follow",
            "platform jobs submit --prompts prompts.txt --model demo --max-tokens 60 --wait");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var spec = command.GetValue(file) is { } specFile ? JobSpecFile.Read(specFile)
                : command.GetValue(prompts) is { } promptFile ? ReadPrompts(promptFile, command.GetValue(model), command.GetValue(maxTokens))
                : throw new PlatformException("Name a spec file, or a file with --prompts.", ExitCodes.Usage);
            spec = spec with { Id = command.GetValue(id) ?? spec.Id };
            var json = command.GetValue(CommonOptions.Json);
            var job = await client.SubmitJobAsync(spec, cancellationToken);
            if (command.GetValue(follow))
            {
                await JobLogFollower.FollowAsync(client, job.Id, json ? Console.Error : Console.Out, cancellationToken);
                job = await client.GetJobAsync(job.Id, cancellationToken);
            }
            else if (command.GetValue(wait))
            {
                job = await JobProgressBar.WaitAsync(client, job.Id, CommonOptions.ConsoleFor(json), cancellationToken);
            }

            return JobView.WriteAs(job, json);
        });
        return verb;
    }

    private static JobSpec ReadPrompts(FileInfo file, string? model, int maxTokens)
    {
        try
        {
            var lines = File.ReadAllLines(file.FullName).Where(line => line.Length > 0).ToList();
            return new JobSpec { Kind = JobKinds.BatchInfer, Model = model ?? throw new PlatformException("--prompts needs --model.", ExitCodes.Usage), Prompts = lines, MaxTokens = maxTokens };
        }
        catch (IOException error)
        {
            throw new PlatformException($"{file} cannot be read: {error.Message}", error);
        }
    }
}
