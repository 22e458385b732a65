#include "logic/machine_file.h"

#include "logic/words.h"
#include "planner/error.h"

namespace planner::gui {

DeviceAnswer ask_machine(const Question& question, const QString& path, const Facts& facts) {
  DeviceAnswer out;
  try {
    auto request = request_for(question, {});
    request.machine = path.toStdString();
    request.solve = request.explain = true;
    out.answer = estimate(request, *facts);
    out.line = comparison_of(*out.answer, request, *facts);
  } catch (const Error& e) {
    out.problem = QString::fromUtf8(e.what());
  }
  return out;
}

QString machine_file_text(const Question& question, const Facts& facts) {
  QString text = QStringLiteral("machine: My machine\n");
  QString gpus;
  QString host = QStringLiteral("host:\n  memory: 64 GiB   # what is in the box\n");
  for (const auto& id : question.devices) {
    const auto* device = facts->find_device(id.toStdString());
    if (device == nullptr) continue;
    if (device->kind == DeviceKind::cpu) {
      host = QStringLiteral("host:\n  cpu: %1\n  memory: 64 GiB   # what is in the box\n").arg(to_qt(device->name));
      continue;
    }
    gpus += QStringLiteral("  - device: %1\n").arg(to_qt(device->name));
    if (question.count > 1) gpus += QStringLiteral("    count: %1\n").arg(question.count);
    if (!device->pcie.empty()) gpus += QStringLiteral("    pcie: %1   # of the slot\n").arg(to_qt(device->pcie));
  }
  if (!gpus.isEmpty()) text += QStringLiteral("gpus:\n") + gpus;
  return text + host;
}

QString machine_help_html() {
  return QStringLiteral(
      "<h3>Describe your machine once</h3>"
      "<p>This version does not look into the machine by itself. Select what is in it in the table of devices (Ctrl and a click for several), "
      "write a machine file from that, and correct it: memory of the host, slots, what the desktop keeps for itself.</p>"
      "<pre>machine: Workstation under the desk\n"
      "gpus:\n"
      "  - device: RTX 4090\n"
      "    pcie: 4.0 x16\n"
      "    reserve: 1.2 GiB\n"
      "  - device: RTX 3060 12GB\n"
      "    pcie: 3.0 x4\n"
      "host:\n"
      "  cpu: Ryzen 9 7950X\n"
      "  memory: 64 GiB\n"
      "  channels: 2\n"
      "  speed: 6000 MT/s\n"
      "  reserve: 4 GiB</pre>"
      "<p>The same file serves the command line: <code>planner estimate --machine machine.yaml --model …</code></p>"
      "<p>How fast this machine really is: <code>planner bench -m model.gguf -p 512 -n 128</code></p>");
}

}  // namespace planner::gui
