// planner-gui: pick a device by looking. Options are for starting with a question, and for pictures without a screen.

#include <QApplication>
#include <QCommandLineParser>
#include <QDir>
#include <QSettings>
#include <QTemporaryDir>
#include <cstdio>
#include <memory>

#include "app/main_window.h"
#include "app/screenshot.h"

namespace {

using namespace planner::gui;

constexpr int kUsage = 2, kNotWritten = 4;

int complain(const QString& text, int status) {
  std::fprintf(stderr, "planner-gui: %s\n", qPrintable(text));
  return status;
}

/// Pictures are made where no window system is; what the platform says of that helps nobody.
void only_errors(QtMsgType type, const QMessageLogContext&, const QString& text) {
  if (type == QtCriticalMsg || type == QtFatalMsg) std::fprintf(stderr, "planner-gui: %s\n", qPrintable(text));
}

/// What has to be known before there is an application: pictures need no screen, and have a scale of their own.
void prepare(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const QString word = QString::fromLocal8Bit(argv[i]);
    if (word == QStringLiteral("--screenshot") || word.startsWith(QStringLiteral("--screenshot="))) {
      qputenv("QT_QPA_PLATFORM", "offscreen");
      qInstallMessageHandler(only_errors);
    }
    const QString scale = word.startsWith(QStringLiteral("--scale="))         ? word.mid(8)
                          : word == QStringLiteral("--scale") && i + 1 < argc ? QString::fromLocal8Bit(argv[i + 1])
                                                                              : QString();
    if (scale.toDouble() > 0) qputenv("QT_SCALE_FACTOR", scale.toLatin1());
  }
}

}  // namespace

int main(int argc, char** argv) {
  prepare(argc, argv);
  QApplication app(argc, argv);
  QCoreApplication::setOrganizationName(QStringLiteral("planner"));
  QCoreApplication::setApplicationName(QStringLiteral("planner-gui"));
  QCoreApplication::setApplicationVersion(QStringLiteral(PLANNER_VERSION));

  QCommandLineParser parser;
  parser.setApplicationDescription(QStringLiteral("Does this language model fit on that hardware, and how fast will it be: a window."));
  const QCommandLineOption model({QStringLiteral("m"), QStringLiteral("model")},
                                 QStringLiteral("Start with this model: a name, or the path of a .gguf or config.json."), QStringLiteral("MODEL"));
  const QCommandLineOption quant({QStringLiteral("q"), QStringLiteral("quant")}, QStringLiteral("Quantization."), QStringLiteral("Q"));
  const QCommandLineOption gpu({QStringLiteral("g"), QStringLiteral("gpu")}, QStringLiteral("Select this device; up to four."), QStringLiteral("GPU"));
  const QCommandLineOption context({QStringLiteral("c"), QStringLiteral("context")}, QStringLiteral("Context in tokens."), QStringLiteral("N"));
  const QCommandLineOption engine(QStringLiteral("engine"), QStringLiteral("Engine."), QStringLiteral("ENGINE"));
  const QCommandLineOption theme(QStringLiteral("theme"), QStringLiteral("Colours: system, light or dark."), QStringLiteral("THEME"));
  const QCommandLineOption data(QStringLiteral("data"), QStringLiteral("Folder of your own facts, laid over the built-in ones."), QStringLiteral("DIR"));
  const QCommandLineOption screenshot(QStringLiteral("screenshot"), QStringLiteral("Write a picture of every view to this folder, without a screen, and exit."),
                                      QStringLiteral("DIR"));
  const QCommandLineOption size(QStringLiteral("size"), QStringLiteral("Size of the window."), QStringLiteral("WIDTHxHEIGHT"), QStringLiteral("1400x900"));
  const QCommandLineOption scale(QStringLiteral("scale"), QStringLiteral("Pixels of the screen to one of the window."), QStringLiteral("FACTOR"));
  parser.addOptions({model, quant, gpu, context, engine, theme, data, screenshot, size, scale});
  parser.addHelpOption();
  parser.addVersionOption();
  parser.process(app);

  const auto parts = parser.value(size).split(u'x');
  const QSize window_size = parts.size() == 2 ? QSize(parts[0].toInt(), parts[1].toInt()) : QSize();
  if (window_size.width() < 200 || window_size.height() < 200 || window_size.width() > 20000 || window_size.height() > 20000)
    return complain(QStringLiteral("--size is '%1', expected something like 1400x900").arg(parser.value(size)), kUsage);

  // Pictures show what is asked for, not what somebody left behind.
  QTemporaryDir scratch;
  const bool pictures = parser.isSet(screenshot);
  const auto settings =
      pictures ? std::make_unique<QSettings>(scratch.filePath(QStringLiteral("settings.ini")), QSettings::IniFormat) : std::make_unique<QSettings>();
  apply_theme(theme_named(parser.isSet(theme) ? parser.value(theme) : settings->value(QStringLiteral("theme")).toString()));
  MainWindow window(load_facts(parser.values(data)), *settings);
  auto& session = window.session();
  if (parser.isSet(engine)) session.ask([&](Question& q) { q.engine = parser.value(engine); });
  if (parser.isSet(model)) session.open_model(parser.value(model));
  if (parser.isSet(quant)) session.ask([&](Question& q) { q.quantization = parser.value(quant); });
  if (parser.isSet(context)) session.ask([&](Question& q) { q.context = parser.value(context).toLongLong(); });
  if (parser.isSet(gpu)) {
    QStringList ids;
    for (const auto& typed : parser.values(gpu)) {
      try {
        ids << QString::fromStdString(session.facts()->resolve_device(typed.toStdString()).device->id);
      } catch (const std::exception& e) {
        if (pictures) return complain(QString::fromUtf8(e.what()), kUsage);
        window.show_message(QString::fromUtf8(e.what()));
      }
    }
    if (!ids.isEmpty()) session.ask([&](Question& q) { q.devices = ids; });
  }
  if (pictures) {
    const QString problem = write_screenshots(window, parser.value(screenshot), window_size);
    return problem.isEmpty() ? 0 : complain(problem, kNotWritten);
  }
  if (parser.isSet(size)) window.resize(window_size);
  window.show();
  return QApplication::exec();
}
