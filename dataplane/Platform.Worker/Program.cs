using Platform.Worker.Training;

if (args is ["train", ..])
{
    return await TrainCommand.RunAsync(args[1..]);
}

var builder = WebApplication.CreateSlimBuilder(args);
var app = builder.Build();
await app.RunAsync();
return 0;
